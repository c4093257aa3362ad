/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of the KVM engine; names and meaning are QEMU's. */
#include <string.h>

#include "accel/kvm/kvm.h"
#include "util/opts.h"

enum { RING_LEAST = 1024, RING_MOST = 65536 };

static const char *const keys[] = {"kernel-irqchip", "dirty-ring-size"};

const char kvm_options_help[] =
    "kvm options:\n"
    "  kernel-irqchip=<on|split|off> - interrupt controllers in the host's kernel while the guest runs: all, the local\n"
    "                           APICs only, none (default: split where the host offers it)\n"
    "  dirty-ring-size=<n>    - entries of each processor's log of writes, a power of two from 1024 to 65536; 0 has\n"
    "                           bitmaps instead (default: 0)\n";

static bool parse_irqchip(KvmIrqchip *irqchip, Opts *opts, GError **error)
{
    static const char *const names[] = {[KVM_IRQCHIP_OFF] = "off", [KVM_IRQCHIP_SPLIT] = "split", [KVM_IRQCHIP_ON] = "on"};
    const char *chosen = opts_str(opts, "kernel-irqchip", NULL);
    *irqchip = KVM_IRQCHIP_AUTO;
    for (unsigned n = KVM_IRQCHIP_OFF; chosen && n < ARRAY_LEN(names); n++) {
        if (strcmp(chosen, names[n]) == 0) {
            *irqchip = (KvmIrqchip)n;
        }
    }
    if (chosen && *irqchip == KVM_IRQCHIP_AUTO) {
        opts_fail(opts, opts_find(opts, "kernel-irqchip"), error, "kernel-irqchip takes on, split or off, not '%s'", chosen);
        return false;
    }
    return true;
}

static bool parse_ring(uint32_t *ring, Opts *opts, GError **error)
{
    uint64_t size = 0;
    if (!opts_uint(opts, "dirty-ring-size", 0, UINT32_MAX, &size, error)) {
        return false;
    }
    if (size && (size < RING_LEAST || size > RING_MOST || (size & (size - 1)))) {
        opts_fail(opts, opts_find(opts, "dirty-ring-size"), error,
                  "dirty-ring-size takes 0 or a power of two from %d to %d, not %" PRIu64, RING_LEAST, RING_MOST, size);
        return false;
    }
    *ring = (uint32_t)size;
    return true;
}

bool kvm_options_parse(KvmOptions *out, const char *text, GError **error)
{
    g_autoptr(Opts) opts = opts_parse("-accel kvm", text ? text : "", NULL, error);
    return opts && parse_irqchip(&out->irqchip, opts, error) && parse_ring(&out->dirty_ring, opts, error) &&
           opts_all_used(opts, keys, ARRAY_LEN(keys), error);
}
