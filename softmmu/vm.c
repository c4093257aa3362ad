/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The life of the machine.  Main thread only; it holds the machine lock except while the loop sleeps. */
#include "softmmu/vm.h"

#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "softmmu/accel_choice.h"
#include "softmmu/accel_switch.h"

/* Under our own name the exit code says how a guest failed. */
#define EXIT_KERNEL_PANIC 4 /* it said so and reset the machine, under -no-reboot */
#define EXIT_TRIPLE_FAULT 5 /* the processor cannot go on */
#define EXIT_OWN_FAULT 8    /* the translator and the interpreter disagree */
#define EXIT_SIGNAL_BASE 128
#define SAY_MS 500
/* A guest that faults this often in this time will do so for ever. */
#define FAULT_LOOP_COUNT 8
#define FAULT_LOOP_US 4000000

/* ---- running and stopping ---- */

static void stop(Vm *vm, RunState state)
{
    Machine *m = vm->machine;
    if (run_state(m->run) == RUN_RUNNING) {
        m->accel->ops->pause(m->accel);
        clock_stop(m->clock);
    }
    run_set_state(m->run, state);
}

static void go(Vm *vm)
{
    Machine *m = vm->machine;
    RunState state = run_state(m->run);
    if (state == RUN_PRELAUNCH || state == RUN_PAUSED) {
        run_set_state(m->run, RUN_RUNNING);
        clock_start(m->clock);
        m->accel->ops->resume(m->accel);
    }
}

static void system_reset(Vm *vm)
{
    Machine *m = vm->machine;
    RunState state = run_state(m->run);
    if (state == RUN_RUNNING) {
        m->accel->ops->pause(m->accel);
    }
    vm->board->reset(m);
    for (size_t i = 0; i < ARRAY_LEN(vm->panics); i++) {
        panic_watch_reset(&vm->panics[i]);
    }
    if (state == RUN_RUNNING) {
        m->accel->ops->resume(m->accel);
    } else if (state == RUN_SHUTDOWN) {
        run_set_state(m->run, RUN_PAUSED);
    }
}

/* ---- the end ---- */

static void leave(Vm *vm, int code)
{
    stop(vm, RUN_PAUSED);
    vm->quit = true;
    vm->exit_code = code;
}

/* A terminal that somebody stopped (Ctrl-S) must not keep us from ending. */
static void say(const Vm *vm, const char *text)
{
    struct pollfd pfd = {.fd = STDERR_FILENO, .events = POLLOUT};
    if (poll(&pfd, 1, SAY_MS) > 0) {
        fprintf(stderr, "%s: %s\n", vm->config->program, text);
    }
}

static bool kernel_panicked(const Vm *vm)
{
    for (size_t i = 0; i < ARRAY_LEN(vm->panics); i++) {
        if (vm->panics[i].seen) {
            return true;
        }
    }
    return false;
}

static void power_off(Vm *vm, ShutdownCause cause, int code)
{
    bool strict = vm->config->strict;
    bool by_guest = cause == CAUSE_GUEST_SHUTDOWN || cause == CAUSE_GUEST_RESET || cause == CAUSE_GUEST_PANIC;
    if (by_guest && vm->config->no_shutdown) {
        stop(vm, RUN_SHUTDOWN);
        return;
    }
    switch (cause) {
    case CAUSE_DEBUG_EXIT:
        leave(vm, code);
        break;
    case CAUSE_GUEST_PANIC:
        if (!strict) {
            say(vm, "the guest's processor shut down (triple fault)");
        }
        leave(vm, strict ? 0 : EXIT_TRIPLE_FAULT);
        break;
    case CAUSE_HOST_SIGNAL:
        say(vm, vm->loop.signal_text);
        leave(vm, strict ? 0 : EXIT_SIGNAL_BASE + code);
        break;
    case CAUSE_OWN_FAULT:
        say(vm, "the translator and the interpreter disagree; the log has the report");
        leave(vm, strict ? 1 : EXIT_OWN_FAULT);
        break;
    case CAUSE_GUEST_RESET:
        if (kernel_panicked(vm)) {
            say(vm, "the guest's kernel panicked");
            leave(vm, EXIT_KERNEL_PANIC);
            break;
        }
        leave(vm, 0);
        break;
    case CAUSE_NONE:
    case CAUSE_GUEST_SHUTDOWN:
    case CAUSE_HOST_QUIT:
        leave(vm, 0);
        break;
    }
}

/* Restarting for ever helps nobody: under our own name a reset loop is an end. */
static bool fault_loop(Vm *vm, ShutdownCause cause)
{
    int64_t now = g_get_monotonic_time();
    if (cause != CAUSE_GUEST_PANIC || vm->config->strict) {
        return false;
    }
    if (now - vm->faults.window > FAULT_LOOP_US) {
        vm->faults.window = now;
        vm->faults.count = 0;
    }
    return ++vm->faults.count >= FAULT_LOOP_COUNT;
}

static void handle_requests(Vm *vm, const RunRequests *asked)
{
    if (asked->exit) {
        power_off(vm, asked->cause, asked->code);
    } else if (asked->reset) {
        bool by_guest = asked->cause == CAUSE_GUEST_RESET || asked->cause == CAUSE_GUEST_PANIC;
        if ((by_guest && vm->config->no_reboot) || fault_loop(vm, asked->cause)) {
            power_off(vm, asked->cause, 0);
        } else {
            system_reset(vm);
        }
    }
    if (!vm->quit && asked->stop && run_state(vm->machine->run) == RUN_RUNNING) {
        stop(vm, RUN_PAUSED);
    }
    if (!vm->quit && asked->cont) {
        go(vm);
    }
}

int vm_run(Vm *vm)
{
    RunRequests asked;
    if (!vm->config->stopped) {
        go(vm);
    }
    while (!vm->quit) {
        if (run_take_requests(vm->machine->run, &asked)) {
            handle_requests(vm, &asked);
        } else {
            main_loop_iterate(&vm->loop);
        }
    }
    return vm->exit_code;
}

/* ---- building ---- */

static void quit_by_key(void *opaque)
{
    Vm *vm = opaque;
    run_request_exit(vm->machine->run, CAUSE_HOST_QUIT, 0);
}

static void power_button(void *opaque)
{
    Vm *vm = opaque;
    vm->board->power_button(vm->machine);
}

static void serve_requests(void *opaque)
{
    Vm *vm = opaque;
    RunRequests asked;
    if (!vm->quit && run_take_requests(vm->machine->run, &asked)) {
        handle_requests(vm, &asked);
    }
}

static bool switch_engine(void *opaque, const char *name, GError **error)
{
    Vm *vm = opaque;
    return accel_switch(vm->machine, name, error);
}

static void list_chardevs(void *opaque, GString *out)
{
    Vm *vm = opaque;
    for (guint i = 0; i < vm->config->chardev_order->len; i++) {
        Chardev *chr = g_ptr_array_index(vm->config->chardev_order, i);
        g_autofree char *text = chardev_describe(chr);
        g_string_append_printf(out, "%s: filename=%s\n", chardev_id(chr), text);
    }
}

static bool create_accel(Vm *vm, GError **error)
{
    const char *opts = NULL;
    const AccelOps *ops = accel_choose(vm->config, &opts, error);
    if (!ops || !config_cpu_model(vm->config, ops, error)) {
        return false;
    }
    vm->machine->accel = ops->create(vm->machine, opts, error);
    if (!vm->machine->accel) {
        if (error && !g_error_matches(*error, OPTS_ERROR, OPTS_USAGE)) { /* those name their option */
            g_prefix_error(error, "-accel %s: ", ops->name);
        }
        return false;
    }
    return true;
}

static bool create_board(Vm *vm, GError **error)
{
    Machine *m = vm->machine;
    vm->board = vm->config->board_type;
    vm->board_ready = true;
    if (!vm->board->init(m, &vm->config->board, error)) {
        return false;
    }
    vm->board->reset(m);
    uint32_t khz = clock_tsc_khz(m->clock);
    if (khz) {
        m->tsc = tick_rate(khz); /* every engine can have it: those that run on the host's processor have no other */
    }
    for (unsigned i = 0; i < m->num_cpus; i++) {
        if (!m->accel->ops->vcpu_create(m->accel, m->cpus[i], error)) {
            return false;
        }
    }
    return true;
}

static bool create_monitors(Vm *vm, GError **error)
{
    const Config *c = vm->config;
    vm->host = (MonitorHost){
        .machine = vm->machine,
        .prompt = c->strict ? "(qemu) " : "(rhea) ",
        .version = RHEA_VERSION,
        .name = c->strict ? "QEMU 7.2.0" : "Rhea " RHEA_VERSION,
        .power_button = power_button,
        .serve = serve_requests,
        .accel_switch = switch_engine,
        .list_chardevs = list_chardevs,
        .opaque = vm,
    };
    for (guint i = 0; i < c->monitors->len; i++) {
        Monitor *mon = monitor_new(g_ptr_array_index(c->monitors, i), &vm->host, error);
        if (!mon) {
            return false;
        }
        g_ptr_array_add(vm->monitors, mon);
    }
    return true;
}

bool vm_create(Vm *vm, Config *config, GError **error)
{
    vm->config = config;
    vm->monitors = g_ptr_array_new();
    vm->machine = machine_new(config->board.ram_size, error);
    if (!vm->machine) {
        return false;
    }
    machine_lock(vm->machine->lock);
    if (!main_loop_init(&vm->loop, vm->machine, error) || !create_accel(vm, error) || !create_board(vm, error) ||
        !create_monitors(vm, error)) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_LEN(vm->panics) && !config->strict; i++) {
        if (config->board.serial[i]) {
            panic_watch_start(&vm->panics[i], config->board.serial[i]);
        }
    }
    for (guint i = 0; i < config->chardev_order->len; i++) {
        chardev_mux_setup(g_ptr_array_index(config->chardev_order, i), config->escape, quit_by_key, vm);
    }
    return true;
}

/* Threads first, then what they used, in the reverse order of creation. */
void vm_destroy(Vm *vm)
{
    Machine *m = vm->machine;
    if (!vm->config) {
        return;
    }
    for (guint i = 0; i < vm->monitors->len; i++) {
        monitor_free(g_ptr_array_index(vm->monitors, i));
    }
    g_ptr_array_free(vm->monitors, TRUE);
    if (!m) {
        return;
    }
    if (m->accel && run_state(m->run) == RUN_RUNNING) {
        m->accel->ops->pause(m->accel);
    }
    machine_unlock(m->lock);
    main_loop_fini(&vm->loop);
    if (m->accel) {
        m->accel->ops->destroy(m->accel);
        m->accel = NULL;
    }
    if (vm->board_ready) {
        vm->board->destroy(m);
    }
    machine_free(m);
}
