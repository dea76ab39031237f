/* The board under llama2.c: one file that lies in memory, a heap, a serial port. newlib does the
 * rest. Only what run.c and runq.c need to load a model and to compute. */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

/* -DMODEL_ADDRESS=...: where the emulator puts the checkpoint, its length in the word before. */
#define MODEL ((const char *)MODEL_ADDRESS)
#define MODEL_BYTES (*(const volatile int *)(MODEL_ADDRESS - 4))

/* The number of the only file; 0 to 2 are the terminal. */
enum { MODEL_FILE = 3 };

static off_t position;

int _open(const char *name, int flags, int mode) {
    (void)name, (void)flags, (void)mode;
    position = 0;
    return MODEL_FILE;
}

int _read(int file, char *into, int length) {
    if (file != MODEL_FILE) return 0;
    if (length > MODEL_BYTES - position) length = MODEL_BYTES - position;
    memcpy(into, MODEL + position, length);
    position += length;
    return length;
}

off_t _lseek(int file, off_t offset, int from) {
    (void)file;
    off_t start = from == 0 ? 0 : from == 1 ? position : MODEL_BYTES;
    return position = start + offset;
}

int _fstat(int file, struct stat *about) {
    memset(about, 0, sizeof *about);
    about->st_mode = file == MODEL_FILE ? S_IFREG : S_IFCHR;
    about->st_size = MODEL_BYTES;
    return 0;
}

void *mmap(void *where, size_t length, int protection, int flags, int file, off_t offset) {
    (void)where, (void)length, (void)protection, (void)flags, (void)file;
    return (void *)(MODEL + offset);
}

int munmap(void *where, size_t length) { (void)where, (void)length; return 0; }

/* PL011, BCM2835 ARM Peripherals p. 177; the emulator's takes every byte at once. */
int _write(int file, const char *from, int length) {
    (void)file;
    for (int i = 0; i < length; i++) *(volatile uint32_t *)0x20201000 = (unsigned char)from[i];
    return length;
}

extern char heap_start[], heap_end[]; /* board.ld */

void *_sbrk(int more) {
    static char *end = heap_start;
    if (end + more > heap_end) {
        errno = ENOMEM;
        return (void *)-1;
    }
    end += more;
    return end - more;
}

/* SYS_EXIT_EXTENDED: ends the emulator with an exit code. */
void _exit(int code) {
    uint32_t block[2] = {0x20026, code};
    register uint32_t operation __asm__("r0") = 0x20;
    register void *parameters __asm__("r1") = block;
    __asm__ volatile("svc #0x123456" : : "r"(operation), "r"(parameters) : "memory");
    for (;;) {}
}

int _close(int file) { (void)file; return 0; }
int _isatty(int file) { return file != MODEL_FILE; }
int _kill(int process, int signal) { (void)process, (void)signal; _exit(1); return -1; }
int _getpid(void) { return 1; }
int clock_gettime(clockid_t clock, struct timespec *now) { (void)clock; memset(now, 0, sizeof *now); return 0; }
