/*
 * What the parts of the machine fvp-base-revc know of each other.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#ifndef HW_ARM_FVP_BASE_H
#define HW_ARM_FVP_BASE_H

#include "exec/address-spaces.h"
#include "exec/memory.h"
#include "hw/boards.h"
#include "hw/sysbus.h"

#define TYPE_FVP_BASE           MACHINE_TYPE_NAME("fvp-base-revc")
OBJECT_DECLARE_SIMPLE_TYPE(FvpBase, FVP_BASE)

#define FVP_MAX_CPUS            8
#define FVP_CPUS_PER_CLUSTER    4
/* The system counter: clock-frequency of the generic timer in the model's device tree. */
#define FVP_COUNTER_HZ          100000000

/* ROM and RAM that is not behind the TZC. */
enum {
    FVP_TRUSTED_ROM,
    FVP_TRUSTED_SRAM,
    FVP_TRUSTED_DRAM,
    FVP_PSRAM,
    FVP_VRAM,
    FVP_NS_SRAM,
    FVP_MEMORIES,
};
#define FVP_DRAM_BANKS          2

struct FvpBase {
    MachineState parent;

    /* What the secure world sees: its own things over all of the normal world's. */
    MemoryRegion secure;
    /* Memory alone, of both worlds: where files are loaded to, whatever the TZC says. */
    MemoryRegion loadable;
    AddressSpace loadable_space;
    MemoryRegion tags, secure_tags;

    MemoryRegion memory[FVP_MEMORIES];
    MemoryRegion dram[FVP_DRAM_BANKS];
    DeviceState *gic;

    /* Options of -machine; README.md describes them. */
    char *secureflash, *flash0, *flash1, *data;
    uint64_t rvbar;
    bool secure_memory, mte;
};

/*
 * fvp-memory.c: makes the memory of both worlds and has the files that the options name loaded into it.
 * The TZC, which is part of it, is mapped here too.
 */
void fvp_add_memory(FvpBase *s);

/* The devices: each has one memory region, where not said otherwise, and one interrupt at most. */
#define TYPE_FVP_SYSREGS        "fvp-sysregs"
#define TYPE_FVP_PWRC           "fvp-pwrc"
#define TYPE_FVP_TZC400         "fvp-tzc400"
#define TYPE_FVP_SP805          "fvp-sp805"
#define TYPE_FVP_COUNTER        "fvp-counter"       /* regions: CNTControl, CNTRead, CNTCTL */
#define TYPE_FVP_TIMER_FRAME    "fvp-timer-frame"   /* one CNTBaseN */
#define TYPE_FVP_STUBS          "fvp-stubs"         /* regions: CCI-550, SMMUv3, NV counters */

/*
 * MPIDR_EL1[39:0] of a CPU, with MT. The affinities of RevC are shifted: Aff2 is the cluster, Aff1
 * the core, Aff0 the thread, of which each core has one. (TF-A: plat/arm/board/fvp, FVP_MAX_PE_PER_CPU
 * and the "shifted" case of its helpers.)
 */
static inline uint64_t fvp_affinity(unsigned cpu)
{
    return (1u << 24) | (cpu / FVP_CPUS_PER_CLUSTER) << 16 | (cpu % FVP_CPUS_PER_CLUSTER) << 8;
}

/*
 * Puts DRAM that starts at `base` of the address map behind the TZC: makes two containers of its size
 * that show what each world may reach at this moment, and returns them for the machine to map.
 */
void fvp_tzc400_guard(DeviceState *tzc, hwaddr base, MemoryRegion *dram,
                      MemoryRegion **non_secure, MemoryRegion **secure);

/* Where the power controller looks for pending interrupts of CPUs that are off. */
void fvp_pwrc_connect_gic(DeviceState *pwrc, DeviceState *gic);

#endif
