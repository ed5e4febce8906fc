/*
 * The memory-mapped generic timer: the system counter with its control frames, and timer frames.
 *
 * Registers: Arm ARM (DDI 0487), chapter "System Level Implementation of the Generic Timer";
 * interrupts and frames: TF-A, fdts/fvp-base-psci-common.dtsi and plat/arm/board/fvp/fvp_def.h.
 *
 * The CPUs' own timers are QEMU's; both count nanoseconds of the same clock.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/bitops.h"
#include "qemu/host-utils.h"
#include "qemu/timer.h"
#include "hw/irq.h"
#include "fvp-base.h"

OBJECT_DECLARE_SIMPLE_TYPE(FvpCounter, FVP_COUNTER)
OBJECT_DECLARE_SIMPLE_TYPE(FvpTimerFrame, FVP_TIMER_FRAME)

#define FRAME_SIZE      0x10000
#define FRAMES          2

static uint64_t count(void)
{
    return muldiv64(qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL), FVP_COUNTER_HZ,
                    NANOSECONDS_PER_SECOND);
}

/* -------- the counter: CNTControlBase, CNTReadBase, CNTCTLBase -------- */

struct FvpCounter {
    SysBusDevice parent;
    MemoryRegion control_frame, read_frame, timer_control_frame;
    uint32_t control;           /* CNTCR; the counter runs all the same */
    uint32_t ns_access;         /* CNTNSAR */
    uint32_t access[FRAMES];    /* CNTACR<n> */
};

enum {
    CNTCR = 0x00,
    CNTSR = 0x04,
    CNTCV_LOW = 0x08,
    CNTCV_HIGH = 0x0c,
    CNTFID0 = 0x20,
};

#define CNTCR_EN        (1u << 0)
/* CNTSR.FCACK: the frequency in use is that of CNTFID0. */
#define CNTSR_FCACK0    (1u << 8)

static uint64_t control_read(void *opaque, hwaddr offset, unsigned size)
{
    FvpCounter *s = opaque;

    switch (offset) {
    case CNTCR:
        return s->control;
    case CNTSR:
        return s->control & CNTCR_EN ? CNTSR_FCACK0 : 0;
    case CNTCV_LOW:
        return extract64(count(), 0, 32);
    case CNTCV_HIGH:
        return extract64(count(), 32, 32);
    case CNTFID0:
        return FVP_COUNTER_HZ;
    default:
        return 0;
    }
}

static void control_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    FvpCounter *s = opaque;

    /* Setting the counter (CNTCV) is not modelled. */
    if (offset == CNTCR) {
        s->control = value;
    }
}

static uint64_t read_frame_read(void *opaque, hwaddr offset, unsigned size)
{
    switch (offset) {
    case 0x00:
        return extract64(count(), 0, 32);
    case 0x04:
        return extract64(count(), 32, 32);
    default:
        return 0;
    }
}

enum {
    CNTFRQ = 0x00,
    CNTNSAR = 0x04,
    CNTTIDR = 0x08,
    CNTACR0 = 0x40,
};

/* Frames 0 and 1 are there; neither has a virtual timer or a view for EL0. */
#define CNTTIDR_VALUE   0x11

static uint64_t timer_control_read(void *opaque, hwaddr offset, unsigned size)
{
    FvpCounter *s = opaque;

    if (offset >= CNTACR0 && offset < CNTACR0 + 4 * FRAMES) {
        return s->access[(offset - CNTACR0) / 4];
    }
    switch (offset) {
    case CNTFRQ:
        return FVP_COUNTER_HZ;
    case CNTNSAR:
        return s->ns_access;
    case CNTTIDR:
        return CNTTIDR_VALUE;
    default:
        return 0;
    }
}

static void timer_control_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    FvpCounter *s = opaque;

    /* Kept, not enforced: the wiring says which world sees which frame. */
    if (offset >= CNTACR0 && offset < CNTACR0 + 4 * FRAMES) {
        s->access[(offset - CNTACR0) / 4] = value;
    } else if (offset == CNTNSAR) {
        s->ns_access = value;
    }
}

static void ignore_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
}

static const MemoryRegionOps control_ops = {
    .read = control_read,
    .write = control_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 8 },
    .impl = { .min_access_size = 4, .max_access_size = 4 },
};

static const MemoryRegionOps read_frame_ops = {
    .read = read_frame_read,
    .write = ignore_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 8 },
    .impl = { .min_access_size = 4, .max_access_size = 4 },
};

static const MemoryRegionOps timer_control_ops = {
    .read = timer_control_read,
    .write = timer_control_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 4 },
};

static void counter_reset(DeviceState *dev)
{
    FvpCounter *s = FVP_COUNTER(dev);

    s->control = s->ns_access = 0;
    memset(s->access, 0, sizeof(s->access));
}

static void counter_init(Object *obj)
{
    FvpCounter *s = FVP_COUNTER(obj);
    SysBusDevice *bus = SYS_BUS_DEVICE(obj);

    memory_region_init_io(&s->control_frame, obj, &control_ops, s, "cntcontrol", FRAME_SIZE);
    memory_region_init_io(&s->read_frame, obj, &read_frame_ops, s, "cntread", FRAME_SIZE);
    memory_region_init_io(&s->timer_control_frame, obj, &timer_control_ops, s, "cntctl",
                          FRAME_SIZE);
    sysbus_init_mmio(bus, &s->control_frame);
    sysbus_init_mmio(bus, &s->read_frame);
    sysbus_init_mmio(bus, &s->timer_control_frame);
}

static void counter_class_init(ObjectClass *class, void *data)
{
    device_class_set_legacy_reset(DEVICE_CLASS(class), counter_reset);
}

/* -------- a timer frame: CNTBaseN, its physical timer -------- */

struct FvpTimerFrame {
    SysBusDevice parent;
    MemoryRegion registers;
    QEMUTimer *timer;
    qemu_irq irq;
    uint64_t compare;
    uint32_t control;
};

enum {
    CNTPCT_LOW = 0x00,
    CNTPCT_HIGH = 0x04,
    CNTVCT_LOW = 0x08,
    CNTVCT_HIGH = 0x0c,
    FRAME_CNTFRQ = 0x10,
    CNTP_CVAL_LOW = 0x20,
    CNTP_CVAL_HIGH = 0x24,
    CNTP_TVAL = 0x28,
    CNTP_CTL = 0x2c,
};

#define CTL_ENABLE      (1u << 0)
#define CTL_IMASK       (1u << 1)
#define CTL_ISTATUS     (1u << 2)

static bool condition_met(const FvpTimerFrame *s)
{
    return (s->control & CTL_ENABLE) && count() >= s->compare;
}

static void frame_update(void *opaque)
{
    FvpTimerFrame *s = opaque;
    bool met = condition_met(s);

    qemu_set_irq(s->irq, met && !(s->control & CTL_IMASK));
    if ((s->control & CTL_ENABLE) && !met) {
        /* A time too far away for QEMU's clock is never reached; it only must not wrap. */
        uint64_t compare = MIN(s->compare, INT64_MAX / 16);

        timer_mod(s->timer, muldiv64(compare, NANOSECONDS_PER_SECOND, FVP_COUNTER_HZ) + 1);
    } else {
        timer_del(s->timer);
    }
}

static uint64_t frame_read(void *opaque, hwaddr offset, unsigned size)
{
    FvpTimerFrame *s = opaque;

    switch (offset) {
    case CNTPCT_LOW:
    case CNTVCT_LOW:
        return size == 8 ? count() : extract64(count(), 0, 32);
    case CNTPCT_HIGH:
    case CNTVCT_HIGH:
        return extract64(count(), 32, 32);
    case FRAME_CNTFRQ:
        return FVP_COUNTER_HZ;
    case CNTP_CVAL_LOW:
        return size == 8 ? s->compare : extract64(s->compare, 0, 32);
    case CNTP_CVAL_HIGH:
        return extract64(s->compare, 32, 32);
    case CNTP_TVAL:
        return extract64(s->compare - count(), 0, 32);
    case CNTP_CTL:
        return s->control | (condition_met(s) ? CTL_ISTATUS : 0);
    default:
        return 0;
    }
}

static void frame_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    FvpTimerFrame *s = opaque;

    switch (offset) {
    case CNTP_CVAL_LOW:
        s->compare = size == 8 ? value : deposit64(s->compare, 0, 32, value);
        break;
    case CNTP_CVAL_HIGH:
        s->compare = deposit64(s->compare, 32, 32, value);
        break;
    case CNTP_TVAL:
        s->compare = count() + (int32_t)value;
        break;
    case CNTP_CTL:
        s->control = value & (CTL_ENABLE | CTL_IMASK);
        break;
    default:
        return;
    }
    frame_update(s);
}

/* Of 64 bits in one: between two halves the counter may carry. */
static const MemoryRegionOps frame_ops = {
    .read = frame_read,
    .write = frame_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 8 },
    .impl = { .min_access_size = 4, .max_access_size = 8 },
};

static void frame_reset(DeviceState *dev)
{
    FvpTimerFrame *s = FVP_TIMER_FRAME(dev);

    s->compare = 0;
    s->control = 0;
    frame_update(s);
}

static void frame_init(Object *obj)
{
    FvpTimerFrame *s = FVP_TIMER_FRAME(obj);

    memory_region_init_io(&s->registers, obj, &frame_ops, s, "cntbase", FRAME_SIZE);
    sysbus_init_mmio(SYS_BUS_DEVICE(obj), &s->registers);
    sysbus_init_irq(SYS_BUS_DEVICE(obj), &s->irq);
    s->timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, frame_update, s);
}

static void frame_class_init(ObjectClass *class, void *data)
{
    device_class_set_legacy_reset(DEVICE_CLASS(class), frame_reset);
}

static const TypeInfo timer_types[] = {
    {
        .name = TYPE_FVP_COUNTER,
        .parent = TYPE_SYS_BUS_DEVICE,
        .instance_size = sizeof(FvpCounter),
        .instance_init = counter_init,
        .class_init = counter_class_init,
    },
    {
        .name = TYPE_FVP_TIMER_FRAME,
        .parent = TYPE_SYS_BUS_DEVICE,
        .instance_size = sizeof(FvpTimerFrame),
        .instance_init = frame_init,
        .class_init = frame_class_init,
    },
};

DEFINE_TYPES(timer_types)
