/*
 * Devices of which software finds the registers it looks at while it boots, and nothing behind them:
 * the interconnect CCI-550, the SMMUv3, the trusted non-volatile counters.
 *
 * Registers: TF-A, include/drivers/arm/cci.h, include/drivers/arm/smmu_v3.h, plat/arm/board/fvp/fvp_def.h;
 * Arm IHI 0070 (SMMUv3).
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/log.h"
#include "fvp-base.h"

OBJECT_DECLARE_SIMPLE_TYPE(FvpStubs, FVP_STUBS)

#define CCI_PORTS       7

struct FvpStubs {
    SysBusDevice parent;
    MemoryRegion cci, smmu, nv_counters;
    uint32_t snoop[CCI_PORTS];
    uint32_t smmu_cr0, smmu_gbpa, smmu_s_gbpa;
};

/* -------- CCI-550 -------- */

enum {
    CCI_PERIPH_ID0 = 0xfe0,
    CCI_PERIPH_ID1 = 0xfe4,
    CCI_PERIPH_ID2 = 0xfe8,
    CCI_PORT_FIRST = 0x1000,
    CCI_PORT_STRIDE = 0x1000,
};

/* Snoops and DVM messages are supported; nothing is cached, so that nothing is to be done. */
#define SNOOP_SUPPORTED     0xc0000000
#define SNOOP_ENABLED       0x3

/* The port whose snoop control register (the port's first) is at an offset, or -1. */
static int snoop_port(hwaddr offset)
{
    if (offset % CCI_PORT_STRIDE || offset < CCI_PORT_FIRST ||
        offset >= CCI_PORT_FIRST + CCI_PORTS * CCI_PORT_STRIDE) {
        return -1;
    }
    return (offset - CCI_PORT_FIRST) / CCI_PORT_STRIDE;
}

static uint64_t cci_read(void *opaque, hwaddr offset, unsigned size)
{
    FvpStubs *s = opaque;
    int port = snoop_port(offset);

    if (port >= 0) {
        return s->snoop[port] | SNOOP_SUPPORTED;
    }
    switch (offset) {
    case CCI_PERIPH_ID0:        /* part 0x423, designer Arm */
        return 0x23;
    case CCI_PERIPH_ID1:
        return 0xb4;
    case CCI_PERIPH_ID2:
        return 0x0b;
    default:
        return 0;
    }
}

static void cci_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    FvpStubs *s = opaque;
    int port = snoop_port(offset);

    if (port >= 0) {
        s->snoop[port] = value & SNOOP_ENABLED;
    }
}

/* -------- SMMUv3 -------- */

enum {
    SMMU_CR0 = 0x0020,
    SMMU_CR0ACK = 0x0024,
    SMMU_GBPA = 0x0044,
    SMMU_S_IDR1 = 0x8004,
    SMMU_S_INIT = 0x803c,
    SMMU_S_GBPA = 0x8044,
};

#define GBPA_UPDATE             (1u << 31)
#define S_IDR1_SECURE_IMPL      (1u << 31)

static uint64_t smmu_read(void *opaque, hwaddr offset, unsigned size)
{
    FvpStubs *s = opaque;

    switch (offset) {
    case SMMU_CR0:
    case SMMU_CR0ACK:
        return s->smmu_cr0;
    case SMMU_GBPA:
        return s->smmu_gbpa;
    case SMMU_S_IDR1:
        return S_IDR1_SECURE_IMPL;
    case SMMU_S_INIT:           /* INV_ALL is done at once */
        return 0;
    case SMMU_S_GBPA:
        return s->smmu_s_gbpa;
    default:
        qemu_log_mask(LOG_UNIMP, "fvp-smmu: read of 0x%x\n", (unsigned)offset);
        return 0;
    }
}

static void smmu_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    FvpStubs *s = opaque;

    switch (offset) {
    case SMMU_CR0:
        s->smmu_cr0 = value;
        break;
    case SMMU_GBPA:
        s->smmu_gbpa = value & ~GBPA_UPDATE;
        break;
    case SMMU_S_INIT:
        break;
    case SMMU_S_GBPA:
        s->smmu_s_gbpa = value & ~GBPA_UPDATE;
        break;
    default:
        qemu_log_mask(LOG_UNIMP, "fvp-smmu: write of 0x%x\n", (unsigned)offset);
    }
}

/* -------- trusted non-volatile counters -------- */

enum {
    TRUSTED_FIRMWARE_COUNTER = 0x00,
    NON_TRUSTED_FIRMWARE_COUNTER = 0x04,
};

/* What the model's counters read as; they cannot be written. TF-A's certificates expect these. */
static uint64_t nv_counters_read(void *opaque, hwaddr offset, unsigned size)
{
    switch (offset) {
    case TRUSTED_FIRMWARE_COUNTER:
        return 31;
    case NON_TRUSTED_FIRMWARE_COUNTER:
        return 223;
    default:
        return 0;
    }
}

static void nv_counters_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
}

#define STUB_OPS(name)                                              \
    static const MemoryRegionOps name##_ops = {                     \
        .read = name##_read,                                        \
        .write = name##_write,                                      \
        .endianness = DEVICE_LITTLE_ENDIAN,                         \
        .valid = { .min_access_size = 4, .max_access_size = 4 },    \
    }

STUB_OPS(cci);
STUB_OPS(smmu);
STUB_OPS(nv_counters);

static void stubs_reset(DeviceState *dev)
{
    FvpStubs *s = FVP_STUBS(dev);

    memset(s->snoop, 0, sizeof(s->snoop));
    s->smmu_cr0 = s->smmu_gbpa = s->smmu_s_gbpa = 0;
}

static void stubs_init(Object *obj)
{
    FvpStubs *s = FVP_STUBS(obj);
    SysBusDevice *bus = SYS_BUS_DEVICE(obj);

    memory_region_init_io(&s->cci, obj, &cci_ops, s, "cci-550", 0x100000);
    memory_region_init_io(&s->smmu, obj, &smmu_ops, s, "smmuv3", 0x100000);
    memory_region_init_io(&s->nv_counters, obj, &nv_counters_ops, s, "nv-counters", 0x1000);
    sysbus_init_mmio(bus, &s->cci);
    sysbus_init_mmio(bus, &s->smmu);
    sysbus_init_mmio(bus, &s->nv_counters);
}

static void stubs_class_init(ObjectClass *class, void *data)
{
    device_class_set_legacy_reset(DEVICE_CLASS(class), stubs_reset);
}

static const TypeInfo stubs_types[] = {
    {
        .name = TYPE_FVP_STUBS,
        .parent = TYPE_SYS_BUS_DEVICE,
        .instance_size = sizeof(FvpStubs),
        .instance_init = stubs_init,
        .class_init = stubs_class_init,
    },
};

DEFINE_TYPES(stubs_types)
