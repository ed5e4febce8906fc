/*
 * The TrustZone controller TZC-400 before the DRAM: which world may reach what.
 *
 * Registers: Arm DDI 0504 (TZC-400 TRM); TF-A, include/drivers/arm/tzc400.h.
 * NSAIDs and the filter of each master: TF-A, plat/arm/board/fvp/fvp_def.h.
 *
 * Each world sees DRAM through a container of its own. For each region of the TZC, the container has
 * an alias of the DRAM (allowed) or a region that answers with an error (blocked), laid over each
 * other in the order of the regions. CPUs see an external abort where the error answers.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/bitops.h"
#include "qemu/log.h"
#include "hw/irq.h"
#include "hw/qdev-properties.h"
#include "fvp-base.h"

OBJECT_DECLARE_SIMPLE_TYPE(FvpTzc400, FVP_TZC400)

#define REGIONS         9
#define BANKS           2

enum {
    NON_SECURE,
    SECURE,
    WORLDS,
};

enum {
    BUILD_CONFIG = 0x000,
    ACTION = 0x004,
    GATE_KEEPER = 0x008,
    SPECULATION_CTRL = 0x00c,
    INT_STATUS = 0x010,
    INT_CLEAR = 0x014,
    FAIL_ADDRESS_LOW = 0x020,
    FAIL_ADDRESS_HIGH = 0x024,
    FAIL_CONTROL = 0x028,
    FAIL_ID = 0x02c,
    REGION_FIRST = 0x100,
    REGION_STRIDE = 0x20,
    REGION_BASE_LOW = 0x00,
    REGION_BASE_HIGH = 0x04,
    REGION_TOP_LOW = 0x08,
    REGION_TOP_HIGH = 0x0c,
    REGION_ATTRIBUTES = 0x10,
    REGION_ID_ACCESS = 0x14,
    PERIPH_ID4 = 0xfd0,
    CELL_ID3 = 0xffc,
};

/* Four filters, addresses of 64 bits, nine regions. */
#define BUILD_CONFIG_VALUE      ((3u << 24) | (63u << 8) | (REGIONS - 1))
#define FILTERS                 0xfu
/* The filter before the CPUs: 0. The others have no master here. */
#define FILTER                  1u
#define ACTION_ERROR            1u
#define FAIL_CONTROL_WRITE      (1u << 24)
#define FAIL_CONTROL_NS         (1u << 21)
#define INT_STATUS_STATUS       (1u << 0)
#define INT_STATUS_OVERRUN      (1u << 8)
#define ATTRIBUTES_SECURE_RW    3u
#define ATTRIBUTES_RESET        (ATTRIBUTES_SECURE_RW << 30 | FILTERS)
#define NSAID_CPU               9
/* Bits of ID_ACCESS that let the CPUs of the normal world read and write. */
#define ID_ACCESS_CPU_RW        ((1u << NSAID_CPU) | (1u << (NSAID_CPU + 16)))
#define PAGE_OFFSET             0xfffu

/* PeriphID4-7, PeriphID0-3 (part 0x460, designer Arm), then the component's identification. */
static const uint8_t identification[] = {
    0x04, 0x00, 0x00, 0x00, 0x60, 0xb4, 0x0b, 0x00, 0x0d, 0xf0, 0x05, 0xb1,
};

typedef struct Region {
    uint64_t base, top;
    uint32_t attributes, id_access;
} Region;

typedef struct Bank Bank;

/* What one region of the TZC makes of one bank for one world. */
typedef struct View {
    MemoryRegion allowed, blocked;
    const Bank *bank;
    FvpTzc400 *tzc;
} View;

struct Bank {
    hwaddr base;
    uint64_t size;
    MemoryRegion container[WORLDS];
    View view[WORLDS][REGIONS];
};

struct FvpTzc400 {
    SysBusDevice parent;
    MemoryRegion registers;
    bool enforce;               /* false: all may reach all, as on a machine without security */

    uint32_t action, gates, speculation;
    uint32_t int_status;
    uint64_t fail_address;
    uint32_t fail_control;
    Region region[REGIONS];

    unsigned banks;
    Bank bank[BANKS];
};

static bool allows(const FvpTzc400 *s, const Region *region, int world)
{
    if (!s->enforce) {
        return true;
    }
    /* Coarse: a region that only lets read, or only write, is taken to let neither. */
    if (world == SECURE) {
        return region->attributes >> 30 == ATTRIBUTES_SECURE_RW;
    }
    return (region->id_access & ID_ACCESS_CPU_RW) == ID_ACCESS_CPU_RW;
}

/* Region 0 is all memory and always on; its registers of base and top do not count. */
static bool covers(const FvpTzc400 *s, int index, uint64_t *base, uint64_t *top)
{
    const Region *region = &s->region[index];

    *base = index ? region->base & ~(uint64_t)PAGE_OFFSET : 0;
    *top = index ? region->top | PAGE_OFFSET : UINT64_MAX;
    if (!s->enforce) {
        return index == 0;
    }
    /* A gate that is closed lets nobody through: its DRAM is not there. */
    return (s->gates & FILTER) && (index == 0 || (region->attributes & FILTER));
}

static void update_view(FvpTzc400 *s, Bank *bank, int world, int index)
{
    View *view = &bank->view[world][index];
    bool allowed = allows(s, &s->region[index], world);
    MemoryRegion *shown = allowed ? &view->allowed : &view->blocked;
    uint64_t base, top;
    bool on = covers(s, index, &base, &top);

    base = MAX(base, bank->base);
    top = MIN(top, bank->base + bank->size - 1);
    on = on && base <= top;
    memory_region_set_enabled(&view->allowed, on && allowed);
    memory_region_set_enabled(&view->blocked, on && !allowed);
    if (!on) {
        return;
    }
    memory_region_set_size(shown, top - base + 1);
    memory_region_set_address(shown, base - bank->base);
    if (allowed) {
        memory_region_set_alias_offset(shown, base - bank->base);
    }
}

static void update(FvpTzc400 *s)
{
    memory_region_transaction_begin();
    for (unsigned bank = 0; bank < s->banks; bank++) {
        for (int world = 0; world < WORLDS; world++) {
            for (int index = 0; index < REGIONS; index++) {
                update_view(s, &s->bank[bank], world, index);
            }
        }
    }
    memory_region_transaction_commit();
}

/* Writes the first failure down and says what the bus answers. */
static MemTxResult refuse(View *view, hwaddr offset, bool write, MemTxAttrs attributes)
{
    FvpTzc400 *s = view->tzc;
    uint64_t address = view->bank->base + view->blocked.addr + offset;

    qemu_log_mask(LOG_GUEST_ERROR, "fvp-tzc400: blocked: %s world %s 0x%" PRIx64 "\n",
                  attributes.secure ? "secure" : "normal", write ? "writes" : "reads", address);
    if (s->int_status & INT_STATUS_STATUS) {
        s->int_status |= INT_STATUS_OVERRUN;
    } else {
        s->int_status |= INT_STATUS_STATUS;
        s->fail_address = address;
        s->fail_control = (write ? FAIL_CONTROL_WRITE : 0) |
                          (attributes.secure ? 0 : FAIL_CONTROL_NS);
    }
    return s->action & ACTION_ERROR ? MEMTX_DECODE_ERROR : MEMTX_OK;
}

static MemTxResult blocked_read(void *opaque, hwaddr offset, uint64_t *data, unsigned size,
                                MemTxAttrs attributes)
{
    *data = 0;
    return refuse(opaque, offset, false, attributes);
}

static MemTxResult blocked_write(void *opaque, hwaddr offset, uint64_t data, unsigned size,
                                 MemTxAttrs attributes)
{
    return refuse(opaque, offset, true, attributes);
}

static const MemoryRegionOps blocked_ops = {
    .read_with_attrs = blocked_read,
    .write_with_attrs = blocked_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 1, .max_access_size = 8 },
    .impl = { .min_access_size = 1, .max_access_size = 8 },
};

static uint64_t region_read(const Region *region, hwaddr offset)
{
    switch (offset) {
    case REGION_BASE_LOW:
        return extract64(region->base, 0, 32);
    case REGION_BASE_HIGH:
        return extract64(region->base, 32, 32);
    case REGION_TOP_LOW:
        return extract64(region->top, 0, 32);
    case REGION_TOP_HIGH:
        return extract64(region->top, 32, 32);
    case REGION_ATTRIBUTES:
        return region->attributes;
    case REGION_ID_ACCESS:
        return region->id_access;
    default:
        return 0;
    }
}

static void region_write(Region *region, hwaddr offset, uint32_t value)
{
    switch (offset) {
    case REGION_BASE_LOW:
        region->base = deposit64(region->base, 0, 32, value & ~PAGE_OFFSET);
        break;
    case REGION_BASE_HIGH:
        region->base = deposit64(region->base, 32, 32, value);
        break;
    case REGION_TOP_LOW:
        region->top = deposit64(region->top, 0, 32, value | PAGE_OFFSET);
        break;
    case REGION_TOP_HIGH:
        region->top = deposit64(region->top, 32, 32, value);
        break;
    case REGION_ATTRIBUTES:
        region->attributes = value;
        break;
    case REGION_ID_ACCESS:
        region->id_access = value;
        break;
    }
}

static Region *region_at(FvpTzc400 *s, hwaddr offset)
{
    if (offset < REGION_FIRST || offset >= REGION_FIRST + REGIONS * REGION_STRIDE) {
        return NULL;
    }
    return &s->region[(offset - REGION_FIRST) / REGION_STRIDE];
}

static uint64_t tzc_read(void *opaque, hwaddr offset, unsigned size)
{
    FvpTzc400 *s = opaque;
    const Region *region = region_at(s, offset);

    if (region) {
        return region_read(region, offset % REGION_STRIDE);
    }
    if (offset >= PERIPH_ID4 && offset <= CELL_ID3) {
        return identification[(offset - PERIPH_ID4) / 4];
    }
    switch (offset) {
    case BUILD_CONFIG:
        return BUILD_CONFIG_VALUE;
    case ACTION:
        return s->action;
    case GATE_KEEPER:
        /* What is asked for is so at once: the status is the request. */
        return s->gates << 16 | s->gates;
    case SPECULATION_CTRL:
        return s->speculation;
    case INT_STATUS:
        return s->int_status;
    case FAIL_ADDRESS_LOW:
        return extract64(s->fail_address, 0, 32);
    case FAIL_ADDRESS_HIGH:
        return extract64(s->fail_address, 32, 32);
    case FAIL_CONTROL:
        return s->fail_control;
    case FAIL_ID:
        return s->fail_control & FAIL_CONTROL_NS ? NSAID_CPU : 0;
    default:
        return 0;
    }
}

static void tzc_write(void *opaque, hwaddr offset, uint64_t value, unsigned size)
{
    FvpTzc400 *s = opaque;
    Region *region = region_at(s, offset);

    if (region) {
        region_write(region, offset % REGION_STRIDE, value);
        update(s);
        return;
    }
    switch (offset) {
    case ACTION:
        s->action = value & 3;
        break;
    case GATE_KEEPER:
        s->gates = value & FILTERS;
        update(s);
        break;
    case SPECULATION_CTRL:
        s->speculation = value & 3;
        break;
    case INT_CLEAR:
        if (value & FILTER) {
            s->int_status = 0;
        }
        break;
    default:
        qemu_log_mask(LOG_GUEST_ERROR, "fvp-tzc400: write of 0x%x\n", (unsigned)offset);
    }
}

static const MemoryRegionOps tzc_ops = {
    .read = tzc_read,
    .write = tzc_write,
    .endianness = DEVICE_LITTLE_ENDIAN,
    .valid = { .min_access_size = 4, .max_access_size = 4 },
};

void fvp_tzc400_guard(DeviceState *dev, hwaddr base, MemoryRegion *dram,
                      MemoryRegion **non_secure, MemoryRegion **secure)
{
    FvpTzc400 *s = FVP_TZC400(dev);
    Bank *bank = &s->bank[s->banks++];

    assert(s->banks <= BANKS);
    bank->base = base;
    bank->size = memory_region_size(dram);
    for (int world = 0; world < WORLDS; world++) {
        MemoryRegion *container = &bank->container[world];

        memory_region_init(container, OBJECT(s), world == SECURE ? "dram-s" : "dram-ns",
                           bank->size);
        for (int index = 0; index < REGIONS; index++) {
            View *view = &bank->view[world][index];

            view->bank = bank;
            view->tzc = s;
            memory_region_init_alias(&view->allowed, OBJECT(s), "tzc-allowed", dram, 0,
                                     bank->size);
            memory_region_init_io(&view->blocked, OBJECT(s), &blocked_ops, view, "tzc-blocked",
                                  bank->size);
            memory_region_set_enabled(&view->allowed, false);
            memory_region_set_enabled(&view->blocked, false);
            memory_region_add_subregion_overlap(container, 0, &view->allowed, index);
            memory_region_add_subregion_overlap(container, 0, &view->blocked, index);
        }
    }
    *non_secure = &bank->container[NON_SECURE];
    *secure = &bank->container[SECURE];
}

static void tzc_reset(DeviceState *dev)
{
    FvpTzc400 *s = FVP_TZC400(dev);

    s->action = s->gates = s->speculation = 0;
    s->int_status = s->fail_control = 0;
    s->fail_address = 0;
    memset(s->region, 0, sizeof(s->region));
    s->region[0].attributes = ATTRIBUTES_RESET;
    update(s);
}

static void tzc_init(Object *obj)
{
    FvpTzc400 *s = FVP_TZC400(obj);

    memory_region_init_io(&s->registers, obj, &tzc_ops, s, "tzc-400", 0x1000);
    sysbus_init_mmio(SYS_BUS_DEVICE(obj), &s->registers);
}

static const Property tzc_properties[] = {
    DEFINE_PROP_BOOL("enforce", FvpTzc400, enforce, true),
};

static void tzc_class_init(ObjectClass *class, void *data)
{
    device_class_set_legacy_reset(DEVICE_CLASS(class), tzc_reset);
    device_class_set_props(DEVICE_CLASS(class), tzc_properties);
}

static const TypeInfo tzc_types[] = {
    {
        .name = TYPE_FVP_TZC400,
        .parent = TYPE_SYS_BUS_DEVICE,
        .instance_size = sizeof(FvpTzc400),
        .instance_init = tzc_init,
        .class_init = tzc_class_init,
    },
};

DEFINE_TYPES(tzc_types)
