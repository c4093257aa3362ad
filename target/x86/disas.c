/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Disassembly by libcapstone, or by our own mnemonics where it was not built in. */
#include "target/x86/disas.h"

#include <inttypes.h>
#include <string.h>

#include "config.h"
#include "target/x86/insn.h"

#ifdef HAVE_CAPSTONE
#include <capstone/capstone.h>
#endif

static bool append_text(GString *out, const uint8_t *bytes, unsigned len, uint64_t address, unsigned code_size)
{
#ifdef HAVE_CAPSTONE
    static const cs_mode modes[3] = {CS_MODE_16, CS_MODE_32, CS_MODE_64};
    csh handle;
    cs_insn *insn;
    if (cs_open(CS_ARCH_X86, modes[code_size], &handle) != CS_ERR_OK) {
        return false;
    }
    size_t count = cs_disasm(handle, bytes, len, address, 1, &insn);
    if (count) {
        g_string_append_printf(out, "%s %s", insn->mnemonic, insn->op_str);
        cs_free(insn, count);
    }
    cs_close(&handle);
    return count != 0;
#else
    return false;
#endif
}

void disas_append(GString *out, const uint8_t *bytes, unsigned len, uint64_t address, unsigned code_size)
{
    g_string_append_printf(out, "%016" PRIx64 ": ", address);
    for (unsigned i = 0; i < 11; i++) {
        if (i < len) {
            g_string_append_printf(out, "%02x", bytes[i]);
        } else {
            g_string_append(out, "  ");
        }
    }
    g_string_append_c(out, ' ');
    if (!append_text(out, bytes, len, address, code_size)) {
        Insn i;
        char name[32];
        FeatureSet all;
        memset(&all, 0xff, sizeof(all));
        bool ok = insn_decode(&i, bytes, len, code_size, &all) == DECODE_OK;
        g_string_append(out, ok ? insn_name(&i, name, sizeof(name)) : "(bad)");
    }
    g_string_append_c(out, '\n');
}

unsigned disas_length(const uint8_t *bytes, unsigned avail, unsigned code_size)
{
    Insn i;
    FeatureSet all;
    memset(&all, 0xff, sizeof(all));
    switch (insn_decode(&i, bytes, avail, code_size, &all)) {
    case DECODE_OK:
        return i.len;
    case DECODE_SHORT:
        return 0;
    default:
        return 1;
    }
}
