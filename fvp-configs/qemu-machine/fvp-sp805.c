/*
 * The watchdog SP805: the Base Platform has one for the normal world and one trusted.
 *
 * Registers: Arm DDI 0270 (SP805 TRM); TF-A, include/drivers/arm/sp805.h.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/host-utils.h"
#include "qemu/log.h"
#include "qemu/timer.h"
#include "hw/irq.h"
#include "hw/qdev-properties.h"
#include "system/watchdog.h"
#include "fvp-base.h"

OBJECT_DECLARE_SIMPLE_TYPE(FvpSp805, FVP_SP805)

struct FvpSp805 {
    SysBusDevice parent;
    MemoryRegion registers;
    qemu_irq irq;
    QEMUTimer *timer;
    uint32_t hz;            /* WDOGCLK */

    uint32_t load;
    uint32_t stopped_at;    /* the counter while it stands */
    int64_t zero;           /* when the counter will be 0, in ns, while it runs */
    uint32_t control;
    bool raw_interrupt;
    bool locked;
    uint32_t integration;
};

enum {
    WDOGLOAD = 0x000,
    WDOGVALUE = 0x004,
    WDOGCONTROL = 0x008,
    WDOGINTCLR = 0x00c,
    WDOGRIS = 0x010,
    WDOGMIS = 0x014,
    WDOGLOCK = 0xc00,
    WDOGITCR = 0xf00,
    WDOGITOP = 0xf04,
    PERIPH_ID0 = 0xfe0,
    CELL_ID3 = 0xffc,
};

#define CONTROL_INTEN   (1u << 0)
#define CONTROL_RESEN   (1u << 1)
#define UNLOCK          0x1acce551

/* Part 0x805, designer 0x41 (Arm), revision 1; then the PrimeCell's identification. */
static const uint8_t identification[] = {
    0x05, 0x18, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1,
};

static int64_t now(void)
{
    return qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL);
}

static bool running(const FvpSp805 *s)
{
    return s->control & CONTROL_INTEN;
}

static void update_irq(FvpSp805 *s)
{
    qemu_set_irq(s->irq, s->raw_interrupt && running(s));
}

static void run_from(FvpSp805 *s, uint32_t count)
{
    /* A counter of 0 would fire again at once, for ever. */
    s->zero = now() + muldiv64(MAX(count, 1), NANOSECONDS_PER_SECOND, s->hz);
    timer_mod(s->timer, s->zero);
}

static uint32_t value(const FvpSp805 *s)
{
    int64_t left = s->zero - now();

    if (!running(s)) {
        return s->stopped_at;
    }
    return left > 0 ? muldiv64(left, s->hz, NANOSECONDS_PER_SECOND) : 0;
}

/* The counter is 0: an interrupt the first time, a reset if that one was not cleared meanwhile. */
static void expired(void *opaque)
{
    FvpSp805 *s = opaque;

    if (s->raw_interrupt && (s->control & CONTROL_RESEN)) {
        watchdog_perform_action();
        return;
    }
    s->raw_interrupt = true;
    update_irq(s);
    run_from(s, s->load);
}

static uint64_t sp805_read(void *opaque, hwaddr offset, unsigned size)
{
    FvpSp805 *s = opaque;

    if (offset >= PERIPH_ID0 && offset <= CELL_ID3) {
        return identification[(offset - PERIPH_ID0) / 4];
    }
    switch (offset) {
    case WDOGLOAD:
        return s->load;
    case WDOGVALUE:
        return value(s);
    case WDOGCONTROL:
        return s->control;
    case WDOGRIS:
        return s->raw_interrupt;
    case WDOGMIS:
        return s->raw_interrupt && running(s);
    case WDOGLOCK:
        return s->locked;
    case WDOGITCR:
        return s->integration;
    default:
        qemu_log_mask(LOG_GUEST_ERROR, "fvp-sp805: read of 0x%x\n", (unsigned)offset);
        return 0;
    }
}

static void set_control(FvpSp805 *s, uint32_t control)
{
    bool was_running = running(s);
    uint32_t stop = value(s);

    s->control = control & (CONTROL_INTEN | CONTROL_RESEN);
    if (running(s) && !was_running) {
        run_from(s, s->load);
    } else if (!running(s)) {
        s->stopped_at = stop;
        timer_del(s->timer);
    }
    update_irq(s);
}

static void reload(FvpSp805 *s)
{
    s->stopped_at = s->load;
    if (running(s)) {
        run_from(s, s->load);
    }
}

static void sp805_write(void *opaque, hwaddr offset, uint64_t data, unsigned size)
{
    FvpSp805 *s = opaque;

    if (offset == WDOGLOCK) {
        s->locked = data != UNLOCK;
        return;
    }
    if (s->locked) {
        qemu_log_mask(LOG_GUEST_ERROR, "fvp-sp805: write of 0x%x while locked\n",
                      (unsigned)offset);
        return;
    }
    switch (offset) {
    case WDOGLOAD:
        s->load = data;
        reload(s);
        break;
    case WDOGCONTROL:
        set_control(s, data);
        break;
    case WDOGINTCLR:
        s->raw_interrupt = false;
        update_irq(s);
        reload(s);
        break;
    case WDOGITCR:
        s->integration = data & 1;
        break;
    case WDOGITOP:
        qemu_log_mask(LOG_UNIMP, "fvp-sp805: integration test\n");
        break;
    default:
        qemu_log_mask(LOG_GUEST_ERROR, "fvp-sp805: write of 0x%x\n", (unsigned)offset);
    }
}

static const MemoryRegionOps sp805_ops = {
    .read = sp805_read,
    .write = sp805_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 4 },
    .impl = { .min_access_size = 4, .max_access_size = 4 },
};

static void sp805_reset(DeviceState *dev)
{
    FvpSp805 *s = FVP_SP805(dev);

    timer_del(s->timer);
    s->load = s->stopped_at = UINT32_MAX;
    s->control = s->integration = 0;
    s->raw_interrupt = s->locked = false;
    update_irq(s);
}

static void sp805_init(Object *obj)
{
    FvpSp805 *s = FVP_SP805(obj);

    memory_region_init_io(&s->registers, obj, &sp805_ops, s, "sp805", 0x1000);
    sysbus_init_mmio(SYS_BUS_DEVICE(obj), &s->registers);
    sysbus_init_irq(SYS_BUS_DEVICE(obj), &s->irq);
    s->timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, expired, s);
}

static const Property sp805_properties[] = {
    DEFINE_PROP_UINT32("clock-frequency", FvpSp805, hz, 32768),
};

static void sp805_class_init(ObjectClass *class, void *data)
{
    device_class_set_legacy_reset(DEVICE_CLASS(class), sp805_reset);
    device_class_set_props(DEVICE_CLASS(class), sp805_properties);
}

static const TypeInfo sp805_types[] = {
    {
        .name = TYPE_FVP_SP805,
        .parent = TYPE_SYS_BUS_DEVICE,
        .instance_size = sizeof(FvpSp805),
        .instance_init = sp805_init,
        .class_init = sp805_class_init,
    },
};

DEFINE_TYPES(sp805_types)
