/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints the instruction table as markdown: docs/insns.md is what this writes. */
#include <stdio.h>

#include "target/x86/insn.h"

static const char *feature_name(int feature)
{
    switch (feature) {
#define FEAT(symbol, word, bit, name)                                                                                \
    case FEAT_##symbol:                                                                                              \
        return name;
#include "target/x86/features.def"
#undef FEAT
    default:
        return "";
    }
}

static void print_flags(uint32_t flags)
{
    static const struct {
        uint32_t bit;
        const char *name;
    } names[] = {{FL_OF, "O"}, {FL_SF, "S"}, {FL_ZF, "Z"}, {FL_AF, "A"}, {FL_PF, "P"}, {FL_CF, "C"}, {FL_DF, "D"},
                 {FL_IF, "I"}, {FL_AC, "AC"}};
    if (flags == 0xffffffffu) {
        printf(" all |");
        return;
    }
    printf(" ");
    for (unsigned k = 0; k < ARRAY_LEN(names); k++) {
        if (flags & names[k].bit) {
            printf("%s", names[k].name);
        }
    }
    printf(" |");
}

/* "66 0F 38 F0 /r", in the manner of the manuals. */
static void print_encoding(const InsnRow *r)
{
    static const char *const prefixes[] = {"", "NP ", "66 ", "F3 ", "F2 "};
    static const char *const maps[] = {"", "0F ", "0F 38 ", "0F 3A ", "VEX.0F ", "VEX.0F38 ", "VEX.0F3A "};
    printf(" %s%s%s%02X", prefixes[r->prefix], r->w == 1 ? "W1 " : r->w == 0 ? "W0 " : "", maps[r->map], r->opcode);
    if (r->attr & A_PLUSR) {
        printf("+r");
    } else if (r->attr & A_CC) {
        printf("+cc");
    }
    if (r->reg != ANY) {
        printf(" /%d", r->reg);
    } else if (r->mod != MOD_NONE) {
        printf(" /r");
    }
    if (r->rm != ANY) {
        printf(" rm=%d", r->rm);
    }
    if (r->mod == MOD_MEM) {
        printf(" mem");
    } else if (r->mod == MOD_REG) {
        printf(" reg");
    }
    printf(" |");
}

static void print_notes(const InsnRow *r)
{
    static const struct {
        uint32_t attr;
        const char *text;
    } notes[] = {{A_LOCK, "LOCK"}, {A_REP, "REP"}, {A_PRIV, "privileged"}, {A_IO, "port access"},
                 {A_LOAD, "reads memory"}, {A_STORE, "writes memory"}, {A_END, "ends a block"}};
    const char *separator = " ";
    for (unsigned k = 0; k < ARRAY_LEN(notes); k++) {
        if (r->attr & notes[k].attr) {
            printf("%s%s", separator, notes[k].text);
            separator = ", ";
        }
    }
    printf(" |\n");
}

int main(void)
{
    static const char *const modes[] = {"", "16/32", "64", "all"};
    printf("# Instructions\n\n"
           "Generated from the instruction table by `gen-insns-doc`; do not edit.  One row an encoding: operand codes "
           "as in SDM vol 2\nappendix A, flags as O S Z A P C (and D, I, AC), NP for \"none of 66 F2 F3\".\n\n"
           "| name | operands | encoding | modes | CPUID | reads | writes | undefined | notes |\n"
           "|---|---|---|---|---|---|---|---|---|\n");
    for (unsigned k = 0; k < insn_num_rows; k++) {
        const InsnRow *r = &insn_rows[k];
        printf("| %s%s | %s |", r->name + (*r->name == '@'), r->attr & A_CC ? "cc" : "", r->operands);
        print_encoding(r);
        printf(" %s | %s |", modes[r->modes & 3], feature_name(r->feature));
        print_flags(r->flags_read);
        print_flags(r->flags_written);
        print_flags(r->flags_undef);
        print_notes(r);
    }
    return 0;
}
