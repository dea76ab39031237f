# Index of what can be done here. `make` alone prints it. Logic lives in crates/devtool.

.DEFAULT_GOAL := help
.PHONY: help announce setup demo test check build firmware bootloader personas sdcard fmt clean \
        zero2w zero2w-programs bench bench-accept bench-quick bench-peer bench-programs

BARE      := target/firmware/armv6-none-eabihf/firmware
PERSONAS  := target/personas
MODELS    := models/stories260K
BOOT_FILES = target/boot-files
WISP      := cargo run --quiet -p wisp --
# Without the trainer, whose tensor library takes longer to build than all the rest.
MODEL     := cargo run --quiet -p wisp-model --no-default-features --
DEVTOOL   := cargo run --quiet -p devtool --
BENCH     := cargo run --quiet -p bench --

help:
	@echo "Wisp: a small language model with a personality on a Raspberry Pi Zero"
	@echo
	@echo "  make demo        boot the emulated board, load the persona, open the chat page"
	@echo "  make test        everything: lints, unit, fault, fuzz, emulator and browser tests"
	@echo "  make check       the quick part of it, while working"
	@echo
	@echo "  make bench       instructions and modelled speed of every path (docs/benchmarks.md)"
	@echo "  make bench-peer LLAMA2C=DIR  the same for your checkout of llama2.c, beside it"
	@echo
	@echo "  make setup       install what is missing (demo and test call it)"
	@echo "  make build       host tools, bootloader, firmware and the tests' personas"
	@echo "  make zero2w      bootloader and firmware of the second board, the Raspberry Pi Zero 2 W"
	@echo "  make sdcard [PERSONA=FILE] [BOARD=zero2w]  an SD card that needs no computer to start (docs/sd-card.md)"
	@echo "  make fmt         format the code"
	@echo "  make clean       remove everything that was built"

setup:
	@scripts/setup

build: announce bootloader firmware personas
	@cargo build --quiet -p wisp
	@cargo build --quiet -p wisp-model --no-default-features

announce:
	@echo "building the tools and the board's programs: some minutes the first time"

bootloader:
	@scripts/fw-cargo build --quiet --profile firmware -p bootloader

firmware:
	@scripts/fw-cargo build --quiet --profile firmware -p firmware

# For `wisp demo`, `load` and `sdcard` with `--board zero2w`. Run in the emulator only.
zero2w:
	@scripts/fw-cargo --board zero2w build --quiet --profile firmware -p bootloader -p firmware

# With what the tests run on it.
zero2w-programs:
	@scripts/fw-cargo --board zero2w build --quiet --profile firmware -p bootloader -p firmware \
	    -p board-test --bin bootloader --bin firmware --bin board-test --bin engine-check

# What the tests speak with. Always made anew: it takes a moment, and a file of yesterday's writer would be tested unnoticed.
personas:
	@mkdir -p $(PERSONAS)
	@for format in f32 fp8 int8 int4; do \
	    $(MODEL) import llama2c $(MODELS)/stories260K.bin --tokenizer $(MODELS)/tok512.bin \
	        --format $$format --name Stories --source "stories260K by Andrej Karpathy" \
	        --licence $(MODELS)/LICENSE -o $(PERSONAS)/stories260K-$$format.wisp || exit 1; \
	done

# Paths go through the environment, as they are. Broadcom's boot files are fetched here and nowhere
# else: the tests have made-up ones.
sdcard: export BOOT_FILES := $(BOOT_FILES)
sdcard: export PERSONA := $(PERSONA)
sdcard: export BOARD := $(BOARD)
sdcard: setup announce $(if $(filter zero2w,$(BOARD)),zero2w,bootloader firmware)
	@scripts/boot-files "$$BOOT_FILES"
	@$(WISP) sdcard $${BOARD:+--board "$$BOARD"} --boot-files "$$BOOT_FILES" $${PERSONA:+--persona "$$PERSONA"}

# The persona is in models/, ready made: nothing that trains is built for it.
demo: setup announce bootloader firmware
	@$(WISP) demo

test: setup
	@$(DEVTOOL) test

check: setup
	@$(DEVTOOL) check

# The board's program, and the model that counts its cycles: optimised, because it follows every
# instruction.
bench-programs:
	@scripts/fw-cargo build --quiet --profile firmware -p board-test --bin bench-board --bin link-cost
	@cargo build --quiet --release -p cycle-model

bench: setup bench-programs
	@$(BENCH)

# What `make test` runs.
bench-quick: bench-programs
	@$(BENCH) --quick

# Writes crates/bench/baseline.json, to be committed with what made it faster.
bench-accept: setup bench-programs
	@$(BENCH) --accept

# The path goes through the environment, as it is: it may have spaces, and a ~ that no shell replaced.
bench-peer: export LLAMA2C := $(LLAMA2C)
bench-peer: setup bench-programs
	@test -n "$$LLAMA2C" || { echo "say where your checkout is: make bench-peer LLAMA2C=FOLDER" >&2; exit 2; }
	@$(BENCH) --llama2c "$$LLAMA2C"

fmt:
	@cargo fmt --all

clean:
	@cargo clean
	@rm -rf fuzz/target
