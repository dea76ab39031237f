/* mmap for a board without files: see ../../board.c. */
#pragma once
#include <sys/types.h>
#define PROT_READ 1
#define MAP_PRIVATE 2
#define MAP_FAILED ((void *)-1)
void *mmap(void *where, size_t length, int protection, int flags, int file, off_t offset);
int munmap(void *where, size_t length);
