#!/bin/sh
# Runs Arm's model with the images of a folder; the UARTs go to files there. FVP_BASE_REVC names the
# model, if it is not in PATH. Made by `cargo xtask fvp --write-configs`.
set -eu
images=${1:?usage: $0 FOLDER, with bl1.bin and fip.bin}
here=$(dirname "$0")
exec "${FVP_BASE_REVC:-FVP_Base_RevC-2xAEMvA}" \
	-f "$here/model.params" \
	-C bp.secureflashloader.fname="$images/bl1.bin" \
	-C bp.flashloader0.fname="$images/fip.bin" \
	-C bp.pl011_uart0.out_file="$images/uart0.log" \
	-C bp.pl011_uart1.out_file="$images/uart1.log" \
	-C bp.pl011_uart2.out_file="$images/uart2.log" \
	-C bp.pl011_uart3.out_file="$images/uart3.log"
