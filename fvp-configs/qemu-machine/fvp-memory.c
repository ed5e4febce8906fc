/*
 * The memory of the machine fvp-base-revc: both worlds' ROM, RAM, flash and DRAM, the tags of MTE, and
 * the files that are loaded into them.
 *
 * Addresses: TF-A 2.12, plat/arm/board/fvp/fvp_def.h and include/platform_def.h,
 * include/plat/arm/board/common/v2m_def.h, include/plat/arm/common/arm_def.h.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/cutils.h"
#include "qemu/error-report.h"
#include "qemu/units.h"
#include "qapi/error.h"
#include "hw/block/flash.h"
#include "hw/loader.h"
#include "hw/qdev-properties.h"
#include "system/blockdev.h"
#include "fvp-base.h"

#define TAGGED_BYTES            32          /* of memory for a byte of MTE tags */
#define TZC_BASE                0x2a4a0000

/* Memory that lies in one piece in one world; what is secure, the normal world does not see. */
static const struct {
    const char *name;
    hwaddr base;
    uint64_t size;
    bool secure;
} memories[FVP_MEMORIES] = {
    [FVP_TRUSTED_ROM] = { "trusted-rom", 0x00000000, 64 * MiB, true },
    [FVP_TRUSTED_SRAM] = { "trusted-sram", 0x04000000, 512 * KiB, true },
    [FVP_TRUSTED_DRAM] = { "trusted-dram", 0x06000000, 32 * MiB, true },
    [FVP_PSRAM] = { "psram", 0x14000000, 64 * MiB, false },
    [FVP_VRAM] = { "vram", 0x18000000, 32 * MiB, false },
    [FVP_NS_SRAM] = { "ns-sram", 0x2e000000, 64 * KiB, false },
};

/* DRAM is behind the TZC. */
static const struct {
    hwaddr base;
    uint64_t size;
} dram_banks[FVP_DRAM_BANKS] = {
    { 0x80000000, 2 * GiB },
    { 0x880000000, 30 * GiB },
};

static const hwaddr flash_base[] = { 0x08000000, 0x0c000000 };
#define FLASH_SIZE              (64 * MiB)
#define FLASH_SECTOR            (256 * KiB)

/* Has tags for a range of memory (on the model: bp.dram_metadata.is_enabled=1). */
static void add_tags(FvpBase *s, bool secure, hwaddr base, uint64_t size)
{
    g_autofree char *name = g_strdup_printf("tags-%" HWADDR_PRIx, base);
    MemoryRegion *tags;

    if (!s->mte) {
        return;
    }
    tags = g_new(MemoryRegion, 1);
    memory_region_init_ram(tags, NULL, name, size / TAGGED_BYTES, &error_fatal);
    memory_region_add_subregion(secure ? &s->secure_tags : &s->tags, base / TAGGED_BYTES, tags);
}

static void make_loadable(FvpBase *s, hwaddr base, MemoryRegion *memory, uint64_t size)
{
    MemoryRegion *alias = g_new(MemoryRegion, 1);

    memory_region_init_alias(alias, OBJECT(s), "loadable", memory, 0, size);
    memory_region_add_subregion(&s->loadable, base, alias);
}

/* Has a file written to memory at each reset. */
static void load_file(FvpBase *s, const char *file, hwaddr address)
{
    if (rom_add_file(file, NULL, address, -1, false, NULL, &s->loadable_space) < 0) {
        error_report("fvp-base-revc: cannot load '%s' at 0x%" HWADDR_PRIx, file, address);
        exit(1);
    }
}

/* data=FILE@ADDRESS[:FILE@ADDRESS...], like the model's --data cluster0.cpu0=FILE@ADDRESS. */
static void load_data(FvpBase *s)
{
    g_auto(GStrv) entries = g_strsplit(s->data, ":", -1);

    for (char **entry = entries; *entry; entry++) {
        char *at = strrchr(*entry, '@');
        uint64_t address;

        if (!at || qemu_strtou64(at + 1, NULL, 0, &address)) {
            error_report("fvp-base-revc: data= has '%s', wanted FILE@ADDRESS", *entry);
            exit(1);
        }
        *at = 0;
        load_file(s, *entry, address);
    }
}

static void add_memories(FvpBase *s)
{
    for (unsigned index = 0; index < FVP_MEMORIES; index++) {
        MemoryRegion *memory = &s->memory[index];
        bool secure = memories[index].secure && s->secure_memory;

        memory_region_init_ram(memory, NULL, memories[index].name, memories[index].size,
                               &error_fatal);
        memory_region_add_subregion(secure ? &s->secure : get_system_memory(),
                                    memories[index].base, memory);
        make_loadable(s, memories[index].base, memory, memories[index].size);
        add_tags(s, secure, memories[index].base, memories[index].size);
    }
    memory_region_set_readonly(&s->memory[FVP_TRUSTED_ROM], true);
}

/* Two NOR chips of 16 bits side by side, Intel's command set, as TF-A's v2m_flash.c drives them. */
static void add_flash(FvpBase *s, unsigned unit, const char *name, const char *file)
{
    DeviceState *dev = qdev_new(TYPE_PFLASH_CFI01);
    DriveInfo *drive = drive_get(IF_PFLASH, 0, unit);

    if (drive) {
        qdev_prop_set_drive(dev, "drive", blk_by_legacy_dinfo(drive));
    }
    qdev_prop_set_uint32(dev, "num-blocks", FLASH_SIZE / FLASH_SECTOR);
    qdev_prop_set_uint64(dev, "sector-length", FLASH_SECTOR);
    qdev_prop_set_uint8(dev, "width", 4);
    qdev_prop_set_uint8(dev, "device-width", 2);
    qdev_prop_set_bit(dev, "big-endian", false);
    qdev_prop_set_uint16(dev, "id0", 0x89);
    qdev_prop_set_uint16(dev, "id1", 0x18);
    qdev_prop_set_uint16(dev, "id2", 0x00);
    qdev_prop_set_uint16(dev, "id3", 0x00);
    qdev_prop_set_string(dev, "name", name);
    sysbus_realize_and_unref(SYS_BUS_DEVICE(dev), &error_fatal);
    sysbus_mmio_map(SYS_BUS_DEVICE(dev), 0, flash_base[unit]);
    make_loadable(s, flash_base[unit], sysbus_mmio_get_region(SYS_BUS_DEVICE(dev), 0), FLASH_SIZE);
    if (file) {
        load_file(s, file, flash_base[unit]);
    }
}

static void add_dram(FvpBase *s)
{
    MachineState *machine = MACHINE(s);
    DeviceState *tzc = qdev_new(TYPE_FVP_TZC400);
    uint64_t used = 0;

    qdev_prop_set_bit(tzc, "enforce", s->secure_memory);
    sysbus_realize_and_unref(SYS_BUS_DEVICE(tzc), &error_fatal);
    memory_region_add_subregion(&s->secure, TZC_BASE,
                                sysbus_mmio_get_region(SYS_BUS_DEVICE(tzc), 0));
    for (unsigned bank = 0; bank < FVP_DRAM_BANKS && used < machine->ram_size; bank++) {
        uint64_t size = MIN(machine->ram_size - used, dram_banks[bank].size);
        hwaddr base = dram_banks[bank].base;
        MemoryRegion *non_secure, *secure;

        memory_region_init_alias(&s->dram[bank], OBJECT(s), "dram", machine->ram, used, size);
        fvp_tzc400_guard(tzc, base, &s->dram[bank], &non_secure, &secure);
        memory_region_add_subregion(get_system_memory(), base, non_secure);
        memory_region_add_subregion(&s->secure, base, secure);
        make_loadable(s, base, &s->dram[bank], size);
        /* One set of tags: a page of DRAM is used by one world at a time. */
        add_tags(s, false, base, size);
        used += size;
    }
}

/* The views of memory that the CPUs and the loader have. */
static void add_views(FvpBase *s)
{
    memory_region_init(&s->secure, OBJECT(s), "secure-memory", UINT64_MAX);
    memory_region_add_subregion_overlap(&s->secure, 0, get_system_memory(), -1);
    memory_region_init(&s->loadable, OBJECT(s), "loadable-memory", UINT64_MAX);
    address_space_init(&s->loadable_space, &s->loadable, "loadable-memory");
    memory_region_init(&s->tags, OBJECT(s), "tag-memory", UINT64_MAX / TAGGED_BYTES);
    memory_region_init(&s->secure_tags, OBJECT(s), "secure-tag-memory",
                       UINT64_MAX / TAGGED_BYTES);
    memory_region_add_subregion_overlap(&s->secure_tags, 0, &s->tags, -1);
}

void fvp_add_memory(FvpBase *s)
{
    add_views(s);
    add_memories(s);
    add_flash(s, 0, "fvp.flash0", s->flash0);
    add_flash(s, 1, "fvp.flash1", s->flash1);
    add_dram(s);
    if (s->secureflash) {
        load_file(s, s->secureflash, memories[FVP_TRUSTED_ROM].base);
    }
    if (s->data) {
        load_data(s);
    }
}
