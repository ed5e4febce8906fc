/*
 * The power controller of the Base Platform: turns CPUs off at their next WFI, and on.
 *
 * Registers: TF-A, plat/arm/board/fvp/fvp_pwrc.h and how its drivers/pwrc and fvp_pm.c use them.
 * The affinity levels are the shifted ones: L0 thread, L1 core, L2 cluster.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/log.h"
#include "qemu/timer.h"
#include "hw/boards.h"
#include "hw/core/cpu.h"
#include "hw/intc/arm_gicv3_common.h"
#include "target/arm/arm-powerctl.h"
#include "target/arm/cpu.h"
#include "fvp-base.h"

OBJECT_DECLARE_SIMPLE_TYPE(FvpPwrc, FVP_PWRC)

enum {
    PPOFFR = 0x00,
    PPONR = 0x04,
    PCOFFR = 0x08,
    PWKUPR = 0x0c,
    PSYSR = 0x10,
};

#define PWKUPR_WEN      (1u << 31)
#define PSYSR_AFF_L2    (1u << 31)
#define PSYSR_AFF_L1    (1u << 30)
#define PSYSR_AFF_L0    (1u << 29)
#define PSYSR_WEN       (1u << 28)
#define PSYSR_PP        (1u << 26)
#define PSYSR_WK_SHIFT  24
#define PSYSR_INVALID   UINT32_MAX

/* Why a CPU is on. */
enum {
    WAKE_COLD = 0,
    WAKE_PPONR = 2,
    WAKE_GIC = 3,
};

/* How often a CPU that is to turn off, or that sleeps, is looked at. */
#define POLL_NS         50000
/* A redistributor's "no interrupt pending". */
#define IDLE_PRIORITY   0xff

typedef struct Core {
    uint8_t wake_reason;
    bool off_pending;       /* off at its next WFI */
    bool wake_enabled;      /* PWKUPR.WEN: an interrupt turns it on again */
    bool sleeping;          /* off, and an interrupt is awaited */
    uint32_t selected;      /* what this CPU's PSYSR shows: the affinity written there */
} Core;

struct FvpPwrc {
    SysBusDevice parent;
    MemoryRegion registers;
    QEMUTimer *poll;
    GICv3State *gic;
    /* The last one stands for accesses that no CPU makes. */
    Core core[FVP_MAX_CPUS + 1];
};

static unsigned cpu_count(void)
{
    return current_machine->smp.cpus;
}

/* The CPU with an affinity as software writes it, or -1. */
static int find_cpu(uint32_t affinity)
{
    for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
        if (extract64(fvp_affinity(cpu), 0, 24) == extract32(affinity, 0, 24)) {
            return cpu;
        }
    }
    return -1;
}

static bool is_on(unsigned cpu)
{
    return ARM_CPU(qemu_get_cpu(cpu))->power_state != PSCI_OFF;
}

static bool turn_on(FvpPwrc *s, unsigned cpu, uint8_t reason)
{
    /* Set first: the CPU may read it before this function returns. */
    uint8_t before = s->core[cpu].wake_reason;

    s->core[cpu].wake_reason = reason;
    if (arm_set_cpu_on_and_reset(fvp_affinity(cpu)) == QEMU_ARM_POWERCTL_RET_SUCCESS) {
        return true;
    }
    s->core[cpu].wake_reason = before;
    return false;
}

static void poll_later(FvpPwrc *s)
{
    timer_mod(s->poll, qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + POLL_NS);
}

static bool interrupt_pends(const FvpPwrc *s, unsigned cpu)
{
    return s->gic && s->gic->cpu[cpu].hppi.prio != IDLE_PRIORITY;
}

static void poll(void *opaque)
{
    FvpPwrc *s = opaque;
    bool again = false;

    for (unsigned cpu = 0; cpu < cpu_count(); cpu++) {
        Core *core = &s->core[cpu];

        if (core->off_pending) {
            if (qemu_get_cpu(cpu)->halted) {
                core->off_pending = false;
                core->sleeping = core->wake_enabled;
                arm_set_cpu_off(fvp_affinity(cpu));
            } else {
                again = true;
            }
        }
        if (core->sleeping) {
            if (interrupt_pends(s, cpu) && !is_on(cpu) && turn_on(s, cpu, WAKE_GIC)) {
                core->sleeping = false;
            } else {
                again = true;
            }
        }
    }
    if (again) {
        poll_later(s);
    }
}

static Core *accessing_core(FvpPwrc *s)
{
    return &s->core[current_cpu ? current_cpu->cpu_index : FVP_MAX_CPUS];
}

static uint32_t system_status(FvpPwrc *s, uint32_t affinity)
{
    int cpu = find_cpu(affinity);
    const Core *core;
    uint32_t status;

    if (cpu < 0) {
        return PSYSR_INVALID;
    }
    core = &s->core[cpu];
    status = (uint32_t)core->wake_reason << PSYSR_WK_SHIFT;
    if (is_on(cpu)) {
        status |= PSYSR_AFF_L0 | PSYSR_AFF_L1;
    }
    for (unsigned other = 0; other < cpu_count(); other++) {
        if (other / FVP_CPUS_PER_CLUSTER == cpu / FVP_CPUS_PER_CLUSTER && is_on(other)) {
            status |= PSYSR_AFF_L2;
        }
    }
    status |= core->wake_enabled ? PSYSR_WEN : 0;
    status |= core->off_pending ? PSYSR_PP : 0;
    return status;
}

static uint64_t pwrc_read(void *opaque, hwaddr offset, unsigned size)
{
    FvpPwrc *s = opaque;

    return offset == PSYSR ? system_status(s, accessing_core(s)->selected) : 0;
}

static void pwrc_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    FvpPwrc *s = opaque;
    int cpu = find_cpu(value);
    Core *core;

    if (offset == PSYSR) {
        accessing_core(s)->selected = extract32(value, 0, 24);
        return;
    }
    if (cpu < 0) {
        qemu_log_mask(LOG_GUEST_ERROR, "fvp-pwrc: no CPU 0x%" PRIx64 "\n", value);
        return;
    }
    core = &s->core[cpu];
    switch (offset) {
    case PPOFFR:
        core->off_pending = true;
        poll_later(s);
        break;
    case PPONR:
        core->off_pending = core->sleeping = false;
        if (!is_on(cpu)) {
            turn_on(s, cpu, WAKE_PPONR);
        }
        break;
    case PCOFFR:
        /* The cluster's power is not modelled: it has a state only as far as its CPUs have. */
        break;
    case PWKUPR:
        core->wake_enabled = value & PWKUPR_WEN;
        break;
    default:
        qemu_log_mask(LOG_GUEST_ERROR, "fvp-pwrc: write of 0x%x\n", (unsigned)offset);
    }
}

static const MemoryRegionOps pwrc_ops = {
    .read = pwrc_read,
    .write = pwrc_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 4 },
};

void fvp_pwrc_connect_gic(DeviceState *pwrc, DeviceState *gic)
{
    FVP_PWRC(pwrc)->gic = ARM_GICV3_COMMON(gic);
}

static void pwrc_reset(DeviceState *dev)
{
    FvpPwrc *s = FVP_PWRC(dev);

    timer_del(s->poll);
    memset(s->core, 0, sizeof(s->core));
    QEMU_BUILD_BUG_ON(WAKE_COLD != 0);
}

static void pwrc_init(Object *obj)
{
    FvpPwrc *s = FVP_PWRC(obj);

    memory_region_init_io(&s->registers, obj, &pwrc_ops, s, "pwrc", 0x1000);
    sysbus_init_mmio(SYS_BUS_DEVICE(obj), &s->registers);
    s->poll = timer_new_ns(QEMU_CLOCK_VIRTUAL, poll, s);
}

static void pwrc_class_init(ObjectClass *class, void *data)
{
    device_class_set_legacy_reset(DEVICE_CLASS(class), pwrc_reset);
}

static const TypeInfo pwrc_types[] = {
    {
        .name = TYPE_FVP_PWRC,
        .parent = TYPE_SYS_BUS_DEVICE,
        .instance_size = sizeof(FvpPwrc),
        .instance_init = pwrc_init,
        .class_init = pwrc_class_init,
    },
};

DEFINE_TYPES(pwrc_types)
