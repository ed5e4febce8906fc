# Thin recipes over `cargo xtask`; `cargo xtask --help` says more.

# Lists the recipes.
default:
    @just --list --unsorted

# Boots the chain and shows a VM and the partitions talk.
run *args:
    cargo xtask run {{args}}

# Runs all tests, on the host and in QEMU.
test *args:
    cargo xtask test {{args}}

# Counts instructions per round trip and bytes per image.
bench *args:
    cargo xtask bench {{args}}

# Boots one scenario with its whole log.
boot *args:
    cargo xtask boot {{args}}

# Shows each change of exception level in a boot.
trace *args:
    cargo xtask trace {{args}}

# Checks that no vector register is used outside of the code that switches them.
vector-check *args:
    cargo xtask vector-check {{args}}

# Boots one scenario in Arm's own model of the FVP, which you must have.
fvp *args:
    cargo xtask fvp {{args}}

# Builds the QEMU that has the board fvp.
qemu-fvp *args:
    cargo xtask qemu-fvp {{args}}

# Lists the tools: needed, found, and the mend.
doctor *args:
    cargo xtask doctor {{args}}

# Installs and builds what is missing.
setup *args:
    cargo xtask setup {{args}}

# Runs the pure crates under Miri (nightly, with the components miri and rust-src).
miri:
    MIRIFLAGS="-Zmiri-disable-isolation -Zmiri-ignore-leaks" cargo +nightly miri test -p ffa-abi -p proxy-el2 -p spmc --lib

# Fuzzes a decoder of ffa-abi for a number of seconds (nightly, cargo-fuzz).
fuzz target seconds="600":
    cd ffa-abi && cargo +nightly fuzz run {{target}} -- -max_total_time={{seconds}}
