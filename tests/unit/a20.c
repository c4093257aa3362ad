/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The A20 gate on every engine: what the second MiB is, to data, stack and code, while a program shuts and opens it. */
#include <string.h>

#include "target/x86/segment.h"
#include "tests/unit/engines.h"

enum { CODE = 0x1000, GATE = 0x92, DONE = 0x93, HIGH_CODE = 0x100600, WAIT_US = 20000000 };

/* Real mode, DS = 0, ES = FFFF: es:[x + 10] is 100000 + x. */
static const uint8_t program[] = {
    0xb8, 0xff, 0xff, 0x8e, 0xc0,             /* mov ax, ffff; mov es, ax */
    0x26, 0xc6, 0x06, 0x10, 0x05, 0x11,       /* mov byte es:[510], 11: at 100500 */
    0xb0, 0x00, 0xe6, GATE,                   /* mov al, 0; out GATE, al: shut */
    0x26, 0xc6, 0x06, 0x10, 0x05, 0x22,       /* mov byte es:[510], 22: at 500 */
    0x26, 0xa0, 0x11, 0x05, 0xa2, 0x02, 0x07, /* mov al, es:[511]; mov [702], al: what is at 501 */
    0x9a, 0x10, 0x06, 0xff, 0xff,             /* call ffff:610: at 600 */
    0xb0, 0x02, 0xe6, GATE,                   /* open */
    0x26, 0xc6, 0x06, 0x12, 0x05, 0x33,       /* mov byte es:[512], 33: at 100502 */
    0x9a, 0x10, 0x06, 0xff, 0xff,             /* call ffff:610: at 100600 */
    0xe6, DONE, 0xf4,                         /* out DONE, al; hlt */
};
/* mov byte [700 + n], n; retf */
static const uint8_t low_code[] = {0xc6, 0x06, 0x00, 0x07, 0x44, 0xcb}, high_code[] = {0xc6, 0x06, 0x01, 0x07, 0x55, 0xcb};

typedef struct Rig {
    Machine *m;
    X86Cpu *cpu;
    Region ram, ports;
    bool done; /* atomic */
} Rig;

/* As a board does it. */
static void port_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    Rig *r = opaque;
    if (offset) {
        __atomic_store_n(&r->done, true, __ATOMIC_SEQ_CST);
        return;
    }
    exclusive_begin(r->m->lock);
    r->cpu->a20_mask = value & 2 ? UINT64_MAX : ~BIT64(20);
    cpu_raise_event(r->cpu, EVENT_FLUSH);
    exclusive_end(r->m->lock);
}

static const RegionOps port_ops = {.write = port_write};

static void run(Rig *r, const AccelOps *ops, const char *opts)
{
    GError *error = NULL;
    r->m->accel = ops->create(r->m, opts, &error);
    g_assert_no_error(error);
    g_assert_true(ops->vcpu_create(r->m->accel, r->cpu, &error));
    ops->resume(r->m->accel);
    machine_unlock(r->m->lock);
    for (int64_t end = g_get_monotonic_time() + WAIT_US; g_get_monotonic_time() < end; g_usleep(100)) {
        if (__atomic_load_n(&r->done, __ATOMIC_SEQ_CST)) {
            break;
        }
    }
    machine_lock(r->m->lock);
    ops->pause(r->m->accel);
    machine_unlock(r->m->lock);
    ops->destroy(r->m->accel);
}

static void test(gconstpointer engine)
{
    Rig *r = g_new0(Rig, 1);
    CpuModel *model = cpu_model_parse("qemu64", NULL);
    r->m = machine_new(4 * MIB, NULL);
    r->cpu = cpu_new(r->m, 0, model);
    r->m->cpus = g_new0(X86Cpu *, 1);
    r->m->cpus[0] = r->cpu;
    r->m->num_cpus = 1;
    r->ram = (Region){.name = "ram", .kind = REGION_RAM, .size = r->m->ram->size, .host = r->m->ram->host};
    region_init_io(&r->ports, "gate", 2, &port_ops, r);
    uint8_t *host = r->m->ram->host;
    memcpy(host + CODE, program, sizeof(program));
    memcpy(host + (HIGH_CODE & ~0x100000), low_code, sizeof(low_code));
    memcpy(host + HIGH_CODE, high_code, sizeof(high_code));
    host[0x501] = 0x66;
    host[0x100501] = 0x77;
    machine_lock(r->m->lock);
    space_map_whole(r->m->memory, 0, &r->ram);
    space_map_whole(r->m->io, GATE, &r->ports);
    seg_load_cache(r->cpu, SEG_CS, 0, 0, 0xffff, SEG_P | SEG_S | SEG_CODE | SEG_READ | SEG_ACCESSED);
    r->cpu->rip = CODE;
    r->cpu->r[RSP] = 0x8000;
    run(r, accel_find(engine), strcmp(engine, "kvm") == 0 ? "kernel-irqchip=off" : NULL);
    g_assert_true(r->done);
    g_assert_cmphex(host[0x100500], ==, 0x11); /* before */
    g_assert_cmphex(host[0x500], ==, 0x22);    /* shut */
    g_assert_cmphex(host[0x702], ==, 0x66);
    g_assert_cmphex(host[0x700], ==, 0x44);
    g_assert_cmphex(host[0x100502], ==, 0x33); /* open again */
    g_assert_cmphex(host[0x502], ==, 0);
    g_assert_cmphex(host[0x701], ==, 0x55);
    machine_free_with(r->m, r->cpu, model);
    g_free(r);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    engines_add_test("a20", test);
    return g_test_run();
}
