/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of the KVM engine; names and meaning are QEMU's. */
#include <string.h>

#include "accel/kvm/kvm.h"
#include "util/opts.h"

static const char *const keys[] = {"kernel-irqchip"};

const char kvm_options_help[] =
    "kvm options:\n"
    "  kernel-irqchip=<on|split|off> - interrupt controllers in the host's kernel while the guest runs: all, the local\n"
    "                           APICs only, none (default: split where the host offers it)\n";

bool kvm_options_parse(KvmIrqchip *irqchip, const char *text, GError **error)
{
    static const char *const names[] = {[KVM_IRQCHIP_OFF] = "off", [KVM_IRQCHIP_SPLIT] = "split", [KVM_IRQCHIP_ON] = "on"};
    g_autoptr(Opts) opts = opts_parse("-accel kvm", text ? text : "", NULL, error);
    if (!opts) {
        return false;
    }
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
    return opts_all_used(opts, keys, ARRAY_LEN(keys), error);
}
