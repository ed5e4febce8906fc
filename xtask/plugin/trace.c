/*
 * A QEMU plugin that writes down every change of exception level, with the registers that crossed.
 *
 * Who executes is told by address, since each image runs where it was loaded: `bounds=A:B:C…` lists
 * the addresses (hexadecimal, ascending) at which the next range begins. Whenever a block of code
 * runs in another range than the block before it on the same CPU, one line goes to `out=FILE`:
 *
 *     cross <cpu> <cause> <pc before> <sp before> <pc after> <sp after> <x0> … <x30>
 *
 * The cause is `smc`, `hvc` or `eret`, the instruction that was executed last; its address is the pc
 * before. For whatever else it is `exception`, and pc and sp before are those of the last block's
 * first instruction. x0-x30 are those of the first instruction behind the change: neither an
 * exception nor its return touches them, so that they are the registers before it as well.
 *
 * `hint #0x62`, which does nothing on any CPU, writes its registers down too:
 *
 *     mark <cpu> <x0> … <x30>
 *
 * Each CPU needs a thread of its own (`-accel tcg,thread=multi`): else QEMU 10.0 compiles the number
 * of the CPU that first meets a piece of code into it.
 *
 * All numbers are hexadecimal, but the CPU's, which is decimal. QEMU's and glib's headers are not
 * needed: what is used of the plugin interface's version 4 is declared here, and glib is a part of
 * the process.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t qemu_plugin_id_t;
struct qemu_plugin_tb;
struct qemu_plugin_insn;
struct qemu_plugin_register;
struct qemu_info;

/* The public beginnings of glib's arrays. */
struct bytes {
	uint8_t *data;
	unsigned int length;
};

struct descriptors {
	char *data;
	unsigned int length;
};

struct descriptor {
	struct qemu_plugin_register *handle;
	const char *name;
	const char *feature;
};

extern struct bytes *g_byte_array_new(void);
extern struct bytes *g_byte_array_set_size(struct bytes *, unsigned int);
extern char *g_array_free(struct descriptors *, int free_data);

typedef void (*cpu_fn)(qemu_plugin_id_t, unsigned int);
typedef void (*translated_fn)(qemu_plugin_id_t, struct qemu_plugin_tb *);
typedef void (*executed_fn)(unsigned int, void *);

extern void qemu_plugin_register_vcpu_init_cb(qemu_plugin_id_t, cpu_fn);
extern void qemu_plugin_register_vcpu_tb_trans_cb(qemu_plugin_id_t, translated_fn);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct qemu_plugin_insn *, executed_fn, int flags,
						   void *);
extern size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
extern struct qemu_plugin_insn *qemu_plugin_tb_get_insn(const struct qemu_plugin_tb *, size_t);
extern size_t qemu_plugin_insn_data(const struct qemu_plugin_insn *, void *, size_t);
extern uint64_t qemu_plugin_insn_vaddr(const struct qemu_plugin_insn *);
extern struct descriptors *qemu_plugin_get_registers(void);
extern int qemu_plugin_read_register(struct qemu_plugin_register *, struct bytes *);

/* QEMU_PLUGIN_CB_R_REGS: the callback reads registers. */
#define READS_REGISTERS 1

#define EXPORT __attribute__((visibility("default")))

EXPORT int qemu_plugin_version = 4;

/* `hint #0x62`. */
#define MARK (0xd503201fu | 0x62u << 5)

#define CPUS 8u
#define BOUNDS 32u
/* x0-x30, then sp. */
#define REGISTERS 32u
#define SP 31u

enum cause { EXCEPTION, SMC, HVC, ERET };

static const char *const cause_names[] = { "exception", "smc", "hvc", "eret" };

/* An instruction of interest. It lives for ever: translated code points to it. */
struct site {
	uint64_t address;
	unsigned int range;
	enum cause cause;
};

/* Padded to a line of the host's cache, for each CPU has a thread of its own. */
struct cpu {
	struct qemu_plugin_register *handles[REGISTERS];
	struct bytes *buffer;
	uint64_t registers[REGISTERS];
	/* Where it was last, and by what it left the block, if that is known. */
	bool running;
	unsigned int range;
	enum cause cause;
	uint64_t pc;
	uint64_t sp;
} __attribute__((aligned(64)));

static struct cpu cpus[CPUS];
static uint64_t bounds[BOUNDS];
static unsigned int bound_count;
static FILE *out;

static unsigned int range_of(uint64_t address)
{
	unsigned int range = 0;

	while (range < bound_count && address >= bounds[range])
		range++;
	return range;
}

static uint64_t read_one(struct cpu *cpu, unsigned int number)
{
	uint64_t value = 0;

	g_byte_array_set_size(cpu->buffer, 0);
	if (cpu->handles[number] && qemu_plugin_read_register(cpu->handles[number], cpu->buffer) > 0 &&
	    cpu->buffer->length >= sizeof(value))
		memcpy(&value, cpu->buffer->data, sizeof(value));
	return value;
}

static void read_all(struct cpu *cpu)
{
	for (unsigned int i = 0; i < REGISTERS; i++)
		cpu->registers[i] = read_one(cpu, i);
}

/* Writes a line: its beginning as given, then x0-x30. One call, so that lines never mix. */
static void __attribute__((format(printf, 2, 3))) put(struct cpu *cpu, const char *format, ...)
{
	char line[1024];
	va_list arguments;
	size_t length;

	va_start(arguments, format);
	length = (size_t)vsnprintf(line, sizeof(line), format, arguments);
	va_end(arguments);
	for (unsigned int i = 0; i < SP; i++)
		length += (size_t)snprintf(line + length, sizeof(line) - length, " %" PRIx64,
					   cpu->registers[i]);
	line[length++] = '\n';
	fwrite(line, 1, length, out);
	/* The machine may be stopped at any time. */
	fflush(out);
}

/* Before a block's first instruction. */
static void entered(unsigned int index, void *data)
{
	const struct site *site = data;
	struct cpu *cpu;

	if (index >= CPUS)
		return;
	cpu = &cpus[index];
	if (cpu->running && cpu->range != site->range) {
		read_all(cpu);
		put(cpu, "cross %u %s %" PRIx64 " %" PRIx64 " %" PRIx64 " %" PRIx64, index,
		    cause_names[cpu->cause], cpu->pc, cpu->sp, site->address, cpu->registers[SP]);
	}
	cpu->running = true;
	cpu->range = site->range;
	cpu->cause = EXCEPTION;
	cpu->pc = site->address;
	cpu->sp = read_one(cpu, SP);
}

/* Before an instruction that may change the exception level; it is its block's last one. */
static void leaving(unsigned int index, void *data)
{
	const struct site *site = data;
	struct cpu *cpu;

	if (index >= CPUS)
		return;
	cpu = &cpus[index];
	cpu->cause = site->cause;
	cpu->pc = site->address;
	cpu->sp = read_one(cpu, SP);
}

static void marked(unsigned int index, void *data)
{
	(void)data;
	if (index >= CPUS)
		return;
	read_all(&cpus[index]);
	put(&cpus[index], "mark %u", index);
}

static enum cause cause_of(uint32_t opcode)
{
	switch (opcode & 0xffe0001fu) {
	case 0xd4000002u:
		return HVC;
	case 0xd4000003u:
		return SMC;
	}
	switch (opcode) {
	case 0xd69f03e0u: /* ERET */
	case 0xd69f0bffu: /* ERETAA */
	case 0xd69f0fffu: /* ERETAB */
		return ERET;
	}
	return EXCEPTION;
}

static void on_executed(struct qemu_plugin_insn *insn, executed_fn function, enum cause cause)
{
	struct site *site = malloc(sizeof(*site));

	if (!site)
		abort();
	site->address = qemu_plugin_insn_vaddr(insn);
	site->range = range_of(site->address);
	site->cause = cause;
	qemu_plugin_register_vcpu_insn_exec_cb(insn, function, READS_REGISTERS, site);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb *block)
{
	size_t length = qemu_plugin_tb_n_insns(block);

	(void)id;
	for (size_t i = 0; i < length; i++) {
		struct qemu_plugin_insn *insn = qemu_plugin_tb_get_insn(block, i);
		uint32_t opcode = 0;
		enum cause cause;

		if (i == 0)
			on_executed(insn, entered, EXCEPTION);
		qemu_plugin_insn_data(insn, &opcode, sizeof(opcode));
		cause = cause_of(opcode);
		if (cause != EXCEPTION)
			on_executed(insn, leaving, cause);
		else if (opcode == MARK)
			on_executed(insn, marked, EXCEPTION);
	}
}

static void started(qemu_plugin_id_t id, unsigned int index)
{
	struct descriptors *list;
	struct cpu *cpu;

	(void)id;
	if (index >= CPUS)
		return;
	cpu = &cpus[index];
	cpu->buffer = g_byte_array_new();
	list = qemu_plugin_get_registers();
	for (unsigned int i = 0; list && i < list->length; i++) {
		const struct descriptor *found = (const struct descriptor *)(void *)list->data + i;

		for (unsigned int number = 0; number < REGISTERS; number++) {
			char name[4] = "sp";

			if (number != SP)
				snprintf(name, sizeof(name), "x%u", number % SP);
			if (!strcmp(found->name, name))
				cpu->handles[number] = found->handle;
		}
	}
	if (list)
		g_array_free(list, 1);
	for (unsigned int number = 0; number < REGISTERS; number++)
		if (!cpu->handles[number])
			fprintf(stderr, "trace: CPU %u has no register number %u\n", index, number);
}

static void parse_bounds(const char *text)
{
	while (*text && bound_count < BOUNDS) {
		char *end;

		bounds[bound_count++] = strtoull(text, &end, 16);
		text = *end ? end + 1 : end;
	}
}

EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const struct qemu_info *info, int argc, char **argv)
{
	(void)info;
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "out=", 4))
			out = fopen(argv[i] + 4, "w");
		else if (!strncmp(argv[i], "bounds=", 7))
			parse_bounds(argv[i] + 7);
	}
	if (!out || !bound_count) {
		fputs("trace: give out=FILE and bounds=ADDRESS:ADDRESS…\n", stderr);
		return -1;
	}
	qemu_plugin_register_vcpu_init_cb(id, started);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	return 0;
}
