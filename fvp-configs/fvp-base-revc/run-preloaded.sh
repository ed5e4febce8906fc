#!/bin/sh
# Runs Arm's model with the images of a folder; the UARTs go to files there. FVP_BASE_REVC names the
# model, if it is not in PATH. Made by `cargo xtask fvp --write-configs`.
set -eu
images=${1:?usage: $0 FOLDER, with bl31.bin, spmc.bin and what else is named below}
here=$(dirname "$0")
exec "${FVP_BASE_REVC:-FVP_Base_RevC-2xAEMvA}" \
	-f "$here/model.params" \
	-f "$here/preloaded.params" \
	-C bp.pl011_uart0.out_file="$images/uart0.log" \
	-C bp.pl011_uart1.out_file="$images/uart1.log" \
	-C bp.pl011_uart2.out_file="$images/uart2.log" \
	-C bp.pl011_uart3.out_file="$images/uart3.log" \
	--data "cluster0.cpu0=$images/bl31.bin@0x4010000" \
	--data "cluster0.cpu0=$images/spmc.bin@0x6000000" \
	--data "cluster0.cpu0=$images/spmc-manifest.dtb@0x403f000" \
	--data "cluster0.cpu0=$images/bl33.bin@0x88000000" \
	--data "cluster0.cpu0=$images/fvp-base-gicv3-psci.dtb@0x82000000" \
	--data "cluster0.cpu0=$images/echo.pkg@0x7000000" \
	--data "cluster0.cpu0=$images/relay.pkg@0x7100000"
