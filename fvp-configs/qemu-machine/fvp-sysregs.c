/*
 * Versatile Express system registers, as the Base Platform has them.
 *
 * Registers: TF-A, include/plat/arm/board/common/v2m_def.h and plat/arm/board/fvp/fvp_def.h;
 * Arm DUI 0447 (Motherboard Express uATX), chapter "Programmers model".
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/host-utils.h"
#include "qemu/log.h"
#include "qemu/timer.h"
#include "system/runstate.h"
#include "fvp-base.h"

OBJECT_DECLARE_SIMPLE_TYPE(FvpSysregs, FVP_SYSREGS)

struct FvpSysregs {
    SysBusDevice parent;
    MemoryRegion registers;
    uint32_t led, flags, nv_flags, configuration_data;
};

enum {
    SYS_ID = 0x00,
    SYS_LED = 0x08,
    SYS_100HZ = 0x24,
    SYS_FLAGS = 0x30,
    SYS_FLAGS_CLEAR = 0x34,
    SYS_NV_FLAGS = 0x38,
    SYS_NV_FLAGS_CLEAR = 0x3c,
    SYS_24MHZ = 0x5c,
    SYS_CFGDATA = 0xa0,
    SYS_CFGCTRL = 0xa4,
    SYS_CFGSTAT = 0xa8,
};

/* Revision C (0x2), the Base Platform (HBI 0x020), GIC at the base addresses (1), a model (1). */
#define ID_BASE_REVC            0x20201100
#define CFGCTRL_START           (1u << 31)
#define CFGCTRL_FUNCTION(value) extract32(value, 20, 6)
#define CFGSTAT_COMPLETE        1

enum {
    FUNCTION_RESET = 5,
    FUNCTION_SHUTDOWN = 8,
    FUNCTION_REBOOT = 9,
};

static uint64_t sysregs_read(void *opaque, hwaddr offset, unsigned size)
{
    FvpSysregs *s = opaque;
    int64_t now = qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);

    switch (offset) {
    case SYS_ID:
        return ID_BASE_REVC;
    case SYS_LED:
        return s->led;
    case SYS_100HZ:
        return now / 10000000;
    case SYS_FLAGS:
        return s->flags;
    case SYS_NV_FLAGS:
        return s->nv_flags;
    case SYS_24MHZ:
        return muldiv64(now, 24, 1000);
    case SYS_CFGDATA:
        return s->configuration_data;
    case SYS_CFGSTAT:
        return CFGSTAT_COMPLETE;
    default:
        qemu_log_mask(LOG_UNIMP, "fvp-sysregs: read of 0x%x\n", (unsigned)offset);
        return 0;
    }
}

static void configure(uint32_t control)
{
    if (!(control & CFGCTRL_START)) {
        return;
    }
    switch (CFGCTRL_FUNCTION(control)) {
    case FUNCTION_SHUTDOWN:
        qemu_system_shutdown_request(SHUTDOWN_CAUSE_GUEST_SHUTDOWN);
        break;
    case FUNCTION_RESET:
    case FUNCTION_REBOOT:
        qemu_system_reset_request(SHUTDOWN_CAUSE_GUEST_RESET);
        break;
    default:
        qemu_log_mask(LOG_UNIMP, "fvp-sysregs: configuration 0x%x\n", control);
    }
}

static void sysregs_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    FvpSysregs *s = opaque;

    switch (offset) {
    case SYS_LED:
        s->led = value & 0xff;
        break;
    case SYS_FLAGS:
        s->flags |= value;
        break;
    case SYS_FLAGS_CLEAR:
        s->flags &= ~value;
        break;
    case SYS_NV_FLAGS:
        s->nv_flags |= value;
        break;
    case SYS_NV_FLAGS_CLEAR:
        s->nv_flags &= ~value;
        break;
    case SYS_CFGDATA:
        s->configuration_data = value;
        break;
    case SYS_CFGCTRL:
        configure(value);
        break;
    default:
        qemu_log_mask(LOG_UNIMP, "fvp-sysregs: write of 0x%x\n", (unsigned)offset);
    }
}

static const MemoryRegionOps sysregs_ops = {
    .read = sysregs_read,
    .write = sysregs_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 4 },
};

static void sysregs_reset(DeviceState *dev)
{
    FvpSysregs *s = FVP_SYSREGS(dev);

    /* The NV flags outlive a reset; that is what they are for. */
    s->led = s->flags = s->configuration_data = 0;
}

static void sysregs_init(Object *obj)
{
    FvpSysregs *s = FVP_SYSREGS(obj);

    memory_region_init_io(&s->registers, obj, &sysregs_ops, s, "sysregs", 0x1000);
    sysbus_init_mmio(SYS_BUS_DEVICE(obj), &s->registers);
}

static void sysregs_class_init(ObjectClass *class, void *data)
{
    device_class_set_legacy_reset(DEVICE_CLASS(class), sysregs_reset);
}

static const TypeInfo sysregs_types[] = {
    {
        .name = TYPE_FVP_SYSREGS,
        .parent = TYPE_SYS_BUS_DEVICE,
        .instance_size = sizeof(FvpSysregs),
        .instance_init = sysregs_init,
        .class_init = sysregs_class_init,
    },
};

DEFINE_TYPES(sysregs_types)
