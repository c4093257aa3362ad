/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The row array itself: insns.def expanded.
 * Spec: columns and tokens are described in insns.def.
 */
#include "target/x86/insn.h"

/* The handlers that the rows name. */
#define INSN(map, op, mod, reg, rm, pfx, w, l, modes, name, operands, feature, fr, fw, fu, attr, exec)               \
    extern ExecFn *const exec_##exec[8];
#include "target/x86/insns.def"
#undef INSN

/* What the bare tokens of a row stand for. */
enum {
    MODRM_N = MOD_NONE, MODRM__ = MOD_ANY, MODRM_M = MOD_MEM, MODRM_R = MOD_REG,
};
enum {
    MAND__ = PFX_ANY, MAND_NP = PFX_NP, MAND_66 = PFX_66, MAND_F3 = PFX_F3, MAND_F2 = PFX_F2,
};
enum {
    NUM__ = ANY, NUM_0 = 0, NUM_1, NUM_2, NUM_3, NUM_4, NUM_5, NUM_6, NUM_7,
};
enum {
    IN_ALL = MODE_ALL, IN_32 = MODE_16_32, IN_64 = MODE_64,
};
enum {
    MAP_V0F = MAP_VEX_0F, MAP_V0F38 = MAP_VEX_0F38, MAP_V0F3A = MAP_VEX_0F3A,
};

/* FLAGS_<letters>: every subset of OSZAPC, built letter by letter from the right. */
#define WITH(bit, letter, rest, value) FLAGS_##letter##rest = (bit) | (value)
enum {
    FLAGS__ = 0,
    FLAGS_D = FL_DF,
    FLAGS_I = FL_IF,
    FLAGS_ALIGN = FL_AC,
    FLAGS_ALL = (int)0xffffffff,
    FLAGS_OSZAPCD = FL_OSZAPC | FL_DF,
    FLAGS_C = FL_CF,
    FLAGS_P = FL_PF, WITH(FL_PF, P, C, FL_CF),
#define UPTO_P(bit, letter)                                                                                          \
    FLAGS_##letter = (bit), WITH(bit, letter, C, FLAGS_C), WITH(bit, letter, P, FLAGS_P),                            \
        WITH(bit, letter, PC, FLAGS_PC)
    UPTO_P(FL_AF, A),
#define UPTO_A(bit, letter)                                                                                          \
    UPTO_P(bit, letter), WITH(bit, letter, A, FLAGS_A), WITH(bit, letter, AC, FLAGS_AC),                             \
        WITH(bit, letter, AP, FLAGS_AP), WITH(bit, letter, APC, FLAGS_APC)
    UPTO_A(FL_ZF, Z),
#define UPTO_Z(bit, letter)                                                                                          \
    UPTO_A(bit, letter), WITH(bit, letter, Z, FLAGS_Z), WITH(bit, letter, ZC, FLAGS_ZC),                             \
        WITH(bit, letter, ZP, FLAGS_ZP), WITH(bit, letter, ZPC, FLAGS_ZPC), WITH(bit, letter, ZA, FLAGS_ZA),         \
        WITH(bit, letter, ZAC, FLAGS_ZAC), WITH(bit, letter, ZAP, FLAGS_ZAP), WITH(bit, letter, ZAPC, FLAGS_ZAPC)
    UPTO_Z(FL_SF, S),
    UPTO_Z(FL_OF, O),
    WITH(FL_OF, O, S, FLAGS_S), WITH(FL_OF, O, SC, FLAGS_SC), WITH(FL_OF, O, SP, FLAGS_SP),
    WITH(FL_OF, O, SPC, FLAGS_SPC), WITH(FL_OF, O, SA, FLAGS_SA), WITH(FL_OF, O, SAC, FLAGS_SAC),
    WITH(FL_OF, O, SAP, FLAGS_SAP), WITH(FL_OF, O, SAPC, FLAGS_SAPC), WITH(FL_OF, O, SZ, FLAGS_SZ),
    WITH(FL_OF, O, SZC, FLAGS_SZC), WITH(FL_OF, O, SZP, FLAGS_SZP), WITH(FL_OF, O, SZPC, FLAGS_SZPC),
    WITH(FL_OF, O, SZA, FLAGS_SZA), WITH(FL_OF, O, SZAC, FLAGS_SZAC), WITH(FL_OF, O, SZAP, FLAGS_SZAP),
    WITH(FL_OF, O, SZAPC, FLAGS_SZAPC),
};

#define INSN(map_, op_, mod_, reg_, rm_, pfx_, w_, l_, modes_, name_, operands_, feature_, fr_, fw_, fu_, attr_, fn_)\
    {                                                                                                                \
        .map = MAP_##map_, .opcode = 0x##op_, .mod = MODRM_##mod_, .reg = NUM_##reg_, .rm = NUM_##rm_,               \
        .prefix = MAND_##pfx_, .w = NUM_##w_, .l = NUM_##l_, .modes = IN_##modes_, .name = name_,                    \
        .operands = operands_, .feature = FEAT_##feature_, .flags_read = (uint32_t)FLAGS_##fr_,                      \
        .flags_written = (uint32_t)FLAGS_##fw_, .flags_undef = (uint32_t)FLAGS_##fu_, .attr = (attr_),               \
        .exec = exec_##fn_,                                                                                          \
    },
const InsnRow insn_rows[] = {
#include "target/x86/insns.def"
};
#undef INSN
const unsigned insn_num_rows = ARRAY_LEN(insn_rows);
