/*
 * The machine fvp-base-revc: the memory map of Arm's FVP_Base_RevC-2xAEMvA, as far as Trusted
 * Firmware-A (PLAT=fvp), an SPMC at S-EL2 and a normal world touch it. It is not the Arm model, and
 * nothing was compared with that one. README.md says what is modelled and what is not.
 *
 * Addresses and interrupts: TF-A 2.12, plat/arm/board/fvp/fvp_def.h, include/plat/arm/board/common/v2m_def.h,
 * include/plat/arm/common/arm_def.h, fdts/fvp-base-psci-common.dtsi and fdts/rtsm_ve-motherboard.dtsi.
 *
 * SPDX-License-Identifier: GPL-2.0-or-later
 */
#include "qemu/osdep.h"
#include "qemu/units.h"
#include "qapi/error.h"
#include "qobject/qlist.h"
#include "exec/address-spaces.h"
#include "system/reset.h"
#include "system/system.h"
#include "hw/arm/bsa.h"
#include "hw/boards.h"
#include "hw/char/pl011.h"
#include "hw/intc/arm_gicv3_common.h"
#include "hw/intc/arm_gicv3_its_common.h"
#include "hw/irq.h"
#include "hw/misc/unimp.h"
#include "hw/qdev-properties.h"
#include "target/arm/cpu.h"
#include "target/arm/gtimer.h"
#include "fvp-base.h"

#define SPI_COUNT               224
#define INTERNAL_INTERRUPTS     32
#define MIDR_AEMV8              0x410fd0f0  /* TF-A: BASE_AEM_MIDR */

#define GICD_BASE               0x2f000000
#define GITS_BASE               0x2f020000
#define GICR_BASE               0x2f100000

/* Devices that are not modelled: read as zero, writes ignored, `-d unimp` shows both. */
static const struct {
    const char *name;
    hwaddr base;
    uint64_t size;
} unimplemented[] = {
    { "ethernet", 0x1a000000, 0x10000 },
    { "sysctl", 0x1c020000, 0x1000 },
    { "aaci", 0x1c040000, 0x1000 },
    { "mmci", 0x1c050000, 0x1000 },
    { "kmi0", 0x1c060000, 0x1000 },
    { "kmi1", 0x1c070000, 0x1000 },
    { "clcd", 0x1c1f0000, 0x1000 },
    { "generic-watchdog-control", 0x2a440000, 0x10000 },
    { "generic-watchdog-refresh", 0x2a450000, 0x10000 },
};

/* -------- helpers -------- */

static qemu_irq spi(FvpBase *s, unsigned number)
{
    return qdev_get_gpio_in(s->gic, number);
}

/* Makes a device, maps its first region and wires its interrupt, if it has one. */
static DeviceState *add_device(FvpBase *s, DeviceState *dev, MemoryRegion *where, hwaddr base,
                               int interrupt)
{
    SysBusDevice *bus = SYS_BUS_DEVICE(dev);

    sysbus_realize_and_unref(bus, &error_fatal);
    memory_region_add_subregion(where, base, sysbus_mmio_get_region(bus, 0));
    if (interrupt >= 0) {
        sysbus_connect_irq(bus, 0, spi(s, interrupt));
    }
    return dev;
}

static void map_region(DeviceState *dev, int index, MemoryRegion *where, hwaddr base)
{
    memory_region_add_subregion(where, base, sysbus_mmio_get_region(SYS_BUS_DEVICE(dev), index));
}

/* -------- parts -------- */

static void reset_cpu(void *cpu)
{
    cpu_reset(CPU(cpu));
}

static void add_cpus(FvpBase *s, MachineState *machine)
{
    for (unsigned index = 0; index < machine->smp.cpus; index++) {
        Object *cpu = object_new(machine->cpu_type);

        object_property_set_int(cpu, "mp-affinity", fvp_affinity(index), &error_abort);
        object_property_set_int(cpu, "midr", MIDR_AEMV8, &error_abort);
        object_property_set_int(cpu, "cntfrq", FVP_COUNTER_HZ, &error_abort);
        object_property_set_int(cpu, "rvbar", s->rvbar, &error_fatal);
        /* The power controller turns the others on (on the model: pctl.startup=0.0.0.0). */
        object_property_set_bool(cpu, "start-powered-off", index > 0, &error_abort);
        object_property_set_link(cpu, "memory", OBJECT(get_system_memory()), &error_abort);
        object_property_set_link(cpu, "secure-memory", OBJECT(&s->secure), &error_abort);
        if (s->mte) {
            object_property_set_link(cpu, "tag-memory", OBJECT(&s->tags), &error_fatal);
            object_property_set_link(cpu, "secure-tag-memory", OBJECT(&s->secure_tags),
                                     &error_fatal);
        }
        qdev_realize(DEVICE(cpu), NULL, &error_fatal);
        qemu_register_reset(reset_cpu, cpu);
    }
}

static qemu_irq ppi(FvpBase *s, unsigned cpu, unsigned intid)
{
    /* Behind the SPIs, the GIC's inputs are the 32 internal ones of each CPU. */
    return qdev_get_gpio_in(s->gic, SPI_COUNT + cpu * INTERNAL_INTERRUPTS + intid);
}

static void wire_cpu(FvpBase *s, unsigned index, unsigned count)
{
    static const unsigned timers[] = {
        [GTIMER_PHYS] = ARCH_TIMER_NS_EL1_IRQ,
        [GTIMER_VIRT] = ARCH_TIMER_VIRT_IRQ,
        [GTIMER_HYP] = ARCH_TIMER_NS_EL2_IRQ,
        [GTIMER_SEC] = ARCH_TIMER_S_EL1_IRQ,
        [GTIMER_HYPVIRT] = ARCH_TIMER_NS_EL2_VIRT_IRQ,
        [GTIMER_S_EL2_PHYS] = ARCH_TIMER_S_EL2_IRQ,
        [GTIMER_S_EL2_VIRT] = ARCH_TIMER_S_EL2_VIRT_IRQ,
    };
    /* In the order of the GIC's outputs: for each, all CPUs. */
    static const unsigned inputs[] = {
        ARM_CPU_IRQ, ARM_CPU_FIQ, ARM_CPU_VIRQ, ARM_CPU_VFIQ, ARM_CPU_NMI, ARM_CPU_VINMI,
    };
    DeviceState *cpu = DEVICE(qemu_get_cpu(index));

    for (unsigned timer = 0; timer < ARRAY_SIZE(timers); timer++) {
        qdev_connect_gpio_out(cpu, timer, ppi(s, index, timers[timer]));
    }
    qdev_connect_gpio_out_named(cpu, "gicv3-maintenance-interrupt", 0,
                                ppi(s, index, ARCH_GIC_MAINT_IRQ));
    qdev_connect_gpio_out_named(cpu, "pmu-interrupt", 0, ppi(s, index, VIRTUAL_PMU_IRQ));
    for (unsigned input = 0; input < ARRAY_SIZE(inputs); input++) {
        sysbus_connect_irq(SYS_BUS_DEVICE(s->gic), input * count + index,
                           qdev_get_gpio_in(cpu, inputs[input]));
    }
}

static void add_gic(FvpBase *s, unsigned cpus)
{
    QList *redistributors = qlist_new();
    DeviceState *its;

    s->gic = qdev_new(gicv3_class_name());
    qdev_prop_set_uint32(s->gic, "revision", 3);
    qdev_prop_set_uint32(s->gic, "num-cpu", cpus);
    qdev_prop_set_uint32(s->gic, "num-irq", SPI_COUNT + INTERNAL_INTERRUPTS);
    qdev_prop_set_bit(s->gic, "has-security-extensions", true);
    qdev_prop_set_bit(s->gic, "has-lpi", true);
    qlist_append_int(redistributors, cpus);
    qdev_prop_set_array(s->gic, "redist-region-count", redistributors);
    object_property_set_link(OBJECT(s->gic), "sysmem", OBJECT(get_system_memory()), &error_fatal);
    sysbus_realize_and_unref(SYS_BUS_DEVICE(s->gic), &error_fatal);
    sysbus_mmio_map(SYS_BUS_DEVICE(s->gic), 0, GICD_BASE);
    sysbus_mmio_map(SYS_BUS_DEVICE(s->gic), 1, GICR_BASE);
    for (unsigned index = 0; index < cpus; index++) {
        wire_cpu(s, index, cpus);
    }

    its = qdev_new(its_class_name());
    object_property_set_link(OBJECT(its), "parent-gicv3", OBJECT(s->gic), &error_abort);
    sysbus_realize_and_unref(SYS_BUS_DEVICE(its), &error_fatal);
    sysbus_mmio_map(SYS_BUS_DEVICE(its), 0, GITS_BASE);
}

static void add_watchdog(FvpBase *s, MemoryRegion *where, hwaddr base, int interrupt, uint32_t hz)
{
    DeviceState *dev = qdev_new(TYPE_FVP_SP805);

    qdev_prop_set_uint32(dev, "clock-frequency", hz);
    add_device(s, dev, where, base, interrupt);
}

/* The motherboard's devices: both worlds reach all of them. */
static void add_motherboard(FvpBase *s)
{
    static const struct {
        hwaddr base;
        int interrupt;
    } virtio[] = {
        { 0x1c130000, 42 }, { 0x1c140000, 43 }, { 0x1c150000, 44 }, { 0x1c200000, 46 },
    };
    MemoryRegion *all = get_system_memory();
    DeviceState *pwrc;

    add_device(s, qdev_new(TYPE_FVP_SYSREGS), all, 0x1c010000, -1);
    for (unsigned uart = 0; uart < 4; uart++) {
        pl011_create(0x1c090000 + uart * 0x10000, spi(s, 5 + uart), serial_hd(uart));
    }
    add_watchdog(s, all, 0x1c0f0000, 0, 24000000);
    pwrc = add_device(s, qdev_new(TYPE_FVP_PWRC), all, 0x1c100000, -1);
    fvp_pwrc_connect_gic(pwrc, s->gic);
    sysbus_create_simple("sp804", 0x1c110000, spi(s, 2));
    sysbus_create_simple("sp804", 0x1c120000, spi(s, 3));
    sysbus_create_simple("pl031", 0x1c170000, spi(s, 4));
    for (unsigned index = 0; index < ARRAY_SIZE(virtio); index++) {
        sysbus_create_simple("virtio-mmio", virtio[index].base, spi(s, virtio[index].interrupt));
    }
}

/* The devices of the system on chip, some of them the secure world's alone. */
static void add_soc(FvpBase *s)
{
    MemoryRegion *all = get_system_memory();
    DeviceState *stubs, *counter;

    counter = add_device(s, qdev_new(TYPE_FVP_COUNTER), &s->secure, 0x2a430000, -1);
    map_region(counter, 1, all, 0x2a800000);
    map_region(counter, 2, all, 0x2a810000);
    add_device(s, qdev_new(TYPE_FVP_TIMER_FRAME), &s->secure, 0x2a820000, 25);
    add_device(s, qdev_new(TYPE_FVP_TIMER_FRAME), all, 0x2a830000, 26);
    add_watchdog(s, &s->secure, 0x2a490000, 24, 32768);
    stubs = add_device(s, qdev_new(TYPE_FVP_STUBS), all, 0x2a000000, -1);
    map_region(stubs, 1, all, 0x2b400000);
    map_region(stubs, 2, &s->secure, 0x7fe70000);
}

static void init_machine(MachineState *machine)
{
    FvpBase *s = FVP_BASE(machine);

    fvp_add_memory(s);
    add_cpus(s, machine);
    add_gic(s, machine->smp.cpus);
    add_motherboard(s);
    add_soc(s);
    for (unsigned index = 0; index < ARRAY_SIZE(unimplemented); index++) {
        create_unimplemented_device(unimplemented[index].name, unimplemented[index].base,
                                    unimplemented[index].size);
    }
}

/* -------- options -------- */

#define STRING_OPTION(name)                                             \
    static char *get_##name(Object *obj, Error **errp)                  \
    {                                                                   \
        return g_strdup(FVP_BASE(obj)->name);                           \
    }                                                                   \
    static void set_##name(Object *obj, const char *value, Error **errp) \
    {                                                                   \
        g_free(FVP_BASE(obj)->name);                                    \
        FVP_BASE(obj)->name = g_strdup(value);                          \
    }

#define BOOL_OPTION(name)                                               \
    static bool get_##name(Object *obj, Error **errp)                   \
    {                                                                   \
        return FVP_BASE(obj)->name;                                     \
    }                                                                   \
    static void set_##name(Object *obj, bool value, Error **errp)       \
    {                                                                   \
        FVP_BASE(obj)->name = value;                                    \
    }

STRING_OPTION(secureflash)
STRING_OPTION(flash0)
STRING_OPTION(flash1)
STRING_OPTION(data)
BOOL_OPTION(secure_memory)
BOOL_OPTION(mte)

static void fvp_base_init(Object *obj)
{
    FvpBase *s = FVP_BASE(obj);

    s->secure_memory = s->mte = true;
    object_property_add_uint64_ptr(obj, "rvbar", &s->rvbar, OBJ_PROP_FLAG_READWRITE);
}

static void add_options(ObjectClass *class)
{
    object_class_property_add_str(class, "secureflash", get_secureflash, set_secureflash);
    object_class_property_set_description(class, "secureflash", "file in the trusted ROM (BL1)");
    object_class_property_add_str(class, "flash0", get_flash0, set_flash0);
    object_class_property_set_description(class, "flash0", "file in NOR flash 0 (FIP)");
    object_class_property_add_str(class, "flash1", get_flash1, set_flash1);
    object_class_property_set_description(class, "flash1", "file in NOR flash 1");
    object_class_property_add_str(class, "data", get_data, set_data);
    object_class_property_set_description(class, "data", "FILE@ADDRESS[:FILE@ADDRESS...]");
    object_class_property_add_bool(class, "secure-memory", get_secure_memory, set_secure_memory);
    object_class_property_set_description(class, "secure-memory",
                                          "off: the normal world reaches all memory");
    object_class_property_add_bool(class, "mte", get_mte, set_mte);
    object_class_property_set_description(class, "mte", "off: memory without tags");
}

static void fvp_base_class_init(ObjectClass *class, void *data)
{
    static const char *const cpus[] = { ARM_CPU_TYPE_NAME("max"), NULL };
    MachineClass *machine = MACHINE_CLASS(class);

    machine->desc = "Memory map of Arm's Base Platform RevC (a subset; not the Arm model)";
    machine->init = init_machine;
    machine->valid_cpu_types = cpus;
    machine->default_cpu_type = ARM_CPU_TYPE_NAME("max");
    machine->max_cpus = FVP_MAX_CPUS;
    machine->default_cpus = FVP_MAX_CPUS;
    machine->default_ram_size = 2 * GiB;
    machine->default_ram_id = "fvp.dram";
    machine->block_default_type = IF_VIRTIO;
    machine->no_floppy = 1;
    machine->no_cdrom = 1;
    machine->no_parallel = 1;
    add_options(class);
}

static const TypeInfo fvp_base_types[] = {
    {
        .name = TYPE_FVP_BASE,
        .parent = TYPE_MACHINE,
        .instance_size = sizeof(FvpBase),
        .instance_init = fvp_base_init,
        .class_init = fvp_base_class_init,
    },
};

DEFINE_TYPES(fvp_base_types)
