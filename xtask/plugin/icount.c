/*
 * A QEMU plugin that counts executed instructions, per address, inside windows.
 *
 * The guest opens a window with `hint #0x60` and closes it with `hint #0x61`; on any other CPU both
 * do nothing. Each closed window is written to the file given as `out=FILE`:
 *
 *     window
 *     <address> <opcode> <count>        (hexadecimal, hexadecimal, decimal; one line per instruction)
 *     end
 *
 * Between `hint #0x62` and `hint #0x63` an open window counts nothing: what lies there belongs to others.
 *
 * With `boot=ADDRESS` there is one more window before those: it is open from power-on and closes before
 * the first instruction at or above that address, or at the first of the two hints.
 *
 * It relies on one virtual CPU running at a time, which `-icount` gives. QEMU's headers are not
 * needed: the few functions used are declared here, as the plugin interface's version 4 has them.
 */
#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_info;

typedef void (*translated_fn)(qemu_plugin_id_t, struct qemu_plugin_tb *);
typedef void (*executed_fn)(unsigned int, void *);

extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, translated_fn);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, executed_fn, int flags,
						   void *);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
extern size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *, void *, size_t);
extern uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);

#define EXPORT __attribute__((visibility("default")))

EXPORT int qemu_plugin_version = 4;

/* `hint #n`. */
#define HINT(n) (0xd503201fu | (n) << 5)
#define OPEN HINT(0x60u)
#define CLOSE HINT(0x61u)
#define PAUSE HINT(0x62u)
#define RESUME HINT(0x63u)

/* One instruction of the guest. It lives for ever: translated code points to it. */
struct counter {
	uint64_t address;
	uint32_t opcode;
	uint64_t count;
	struct counter *next;
};

#define BUCKETS 65536u

static struct counter *buckets[BUCKETS];
static bool counting;
/* A window is open, and may be counting. */
static bool window;
/* The boot's window is open, and where it ends. */
static bool booting;
static uint64_t boot_end;
static FILE *out;

static struct counter *counter_of(uint64_t address, uint32_t opcode)
{
	struct counter **bucket = &buckets[(address >> 2) % BUCKETS];
	struct counter *counter;

	for (counter = *bucket; counter; counter = counter->next)
		if (counter->address == address && counter->opcode == opcode)
			return counter;

	counter = calloc(1, sizeof(*counter));
	if (!counter)
		abort();
	counter->address = address;
	counter->opcode = opcode;
	counter->next = *bucket;
	*bucket = counter;
	return counter;
}

static void executed(unsigned int cpu, void *data)
{
	struct counter *counter = data;

	(void)cpu;
	if (counting)
		counter->count++;
}

static void write_window(void)
{
	fputs("window\n", out);
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct counter *counter = buckets[i]; counter; counter = counter->next)
			if (counter->count)
				fprintf(out, "%" PRIx64 " %" PRIx32 " %" PRIu64 "\n", counter->address,
					counter->opcode, counter->count);
	fputs("end\n", out);
	fflush(out);
}

static void booted(unsigned int cpu, void *data)
{
	(void)cpu;
	(void)data;
	if (!booting)
		return;
	booting = false;
	counting = false;
	write_window();
}

static void opened(unsigned int cpu, void *data)
{
	booted(cpu, data);
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct counter *counter = buckets[i]; counter; counter = counter->next)
			counter->count = 0;
	window = counting = true;
}

static void closed(unsigned int cpu, void *data)
{
	booted(cpu, data);
	if (!window)
		return;
	window = counting = false;
	write_window();
}

static void paused(unsigned int cpu, void *data)
{
	(void)cpu;
	(void)data;
	if (window)
		counting = false;
}

static void resumed(unsigned int cpu, void *data)
{
	(void)cpu;
	(void)data;
	if (window)
		counting = true;
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
	size_t length = qemu_plugin_tb_n_insns(block);

	(void)id;
	for (size_t i = 0; i < length; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(block, i);
		uint64_t address = qemu_plugin_insn_vaddr(insn);
		uint32_t opcode = 0;

		/* In front of the instruction's own counter: it belongs to the boot no more. */
		if (booting && address >= boot_end)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, booted, 0, NULL);
		qemu_plugin_insn_data(insn, &opcode, sizeof(opcode));
		if (opcode == OPEN)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, opened, 0, NULL);
		else if (opcode == CLOSE)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, closed, 0, NULL);
		else if (opcode == PAUSE)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, paused, 0, NULL);
		else if (opcode == RESUME)
			qemu_plugin_register_vcpu_insn_exec_cb(insn, resumed, 0, NULL);
		else
			qemu_plugin_register_vcpu_insn_exec_cb(
				insn, executed, 0, counter_of(address, opcode));
	}
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4)) {
			out = fopen(argv[i] + 4, "w");
		} else if (!strncmp(argv[i], "boot=", 5)) {
			boot_end = strtoull(argv[i] + 5, NULL, 0);
			booting = counting = true;
		}
	}
	if (!out) {
		fputs("icount: no file to write to: give out=FILE\n", stderr);
		return -1;
	}
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
