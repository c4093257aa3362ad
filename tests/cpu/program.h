/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random programs: instructions of all rows with their operands where they want them, runs of instructions that share
 * pointers, and control flow between them.  Bytes may be replaced afterwards, an instruction at a time, which is how
 * a program gets rid of what cannot be compared, and how a failing one is made small.
 */
#pragma once

#include <glib.h>
#include <string.h>

#include "tests/cpu/mix.h"
#include "tests/cpu/setting.h"

enum { PROGRAM_PARTS = 400, PROGRAM_BYTES = 0x1400, PROGRAM_MEMS = 64, PROGRAM_FIXUPS = 240 };

/* One instruction. */
typedef struct Part {
    uint16_t at; /* offset in bytes */
    uint8_t len;
    bool end;    /* the way out: it faults, and that ends the program */
} Part;

/* An instruction while it is put together. */
typedef struct Bytes {
    uint8_t b[16];
    unsigned n;
} Bytes;
/* The lowest n bytes of v. */
static inline void bytes_add(Bytes *o, uint64_t v, unsigned n)
{
    memcpy(o->b + o->n, &v, n);
    o->n += n;
}

/* A reference to a label not yet placed: 1, 4 bytes relative or 4 absolute, patched once the label's offset is known. */
typedef struct Fixup {
    uint16_t at;
    uint8_t size;
    bool absolute;
    int label;
} Fixup;

typedef struct Program {
    Case first; /* the state */
    unsigned code_size;
    Setting setting;  /* of 32-bit code */
    uint64_t start;   /* rip of the first instruction */
    bool supervisor;  /* CPL 0 */
    uint16_t service; /* where SYSCALL goes, from the start */
    uint8_t bytes[PROGRAM_BYTES];
    Part parts[PROGRAM_PARTS];
    MemInit mem[PROGRAM_MEMS];
    unsigned len, num, num_mem;
    uint16_t part_at[PROGRAM_BYTES]; /* 1 + the part that starts at an offset, or 0 */
    /* while it is made */
    const Mix *mix;
    Rng *rng;
    uint8_t pointer[3];              /* registers that runs of accesses go through */
    Fixup fixups[PROGRAM_FIXUPS];
    unsigned num_fixups;
    int function[3];                 /* labels of those that may be called */
    int labels;                      /* given out so far */
    uint16_t label_at[PROGRAM_FIXUPS]; /* where they are, or NOWHERE */
} Program;

/* most: of instructions, but for what sets up operands and counters. */
void program_make(Program *p, const Mix *mix, Rng *rng, unsigned code_size, unsigned most);
static inline const Part *program_part(const Program *p, uint64_t rip)
{
    uint64_t at = rip - p->start;
    return at < p->len && p->part_at[at] ? &p->parts[p->part_at[at] - 1] : NULL;
}
/* The instruction does nothing from now on; or ends the program. */
void program_blank(Program *p, const Part *part);
void program_end_at(Program *p, uint64_t rip);
bool program_is_blank(const Program *p, const Part *part);

/* ---- for the parts' files ---- */

/* Add an instruction; false when there is no room left. */
bool program_put(Program *p, const void *bytes, unsigned len);
/* mov reg, v: in one of the forms that do it. */
void program_put_mov(Program *p, unsigned reg, uint64_t v);
/* A general register other than RSP. */
unsigned program_reg(Program *p);

/* ---- integer.c ---- */

/* One instruction with an operand at [base + something near], or between registers. */
void put_integer(Program *p, unsigned base);
/* Some pushes, pops and accesses near the stack's top. */
void put_stack(Program *p);

/* ---- loops.c ---- */

void put_array_loop(Program *p);
void put_flag_reader(Program *p);

/* ---- system.c ---- */

/* What changes the processor's state and not only its registers, and can be compared: flags, MSRs, segments, the TLB. */
void put_system(Program *p);
/* What SYSCALL leads to. */
void put_service(Program *p);
/* The state that such instructions work on, into a CPU that p->first has been loaded into. */
void system_load(const Program *p, X86Cpu *cpu);

/* ---- flow.c ---- */

void put_flow(Program *p, unsigned depth);
/* One item of any kind; `depth` of control flow around it. */
void put_item(Program *p, unsigned depth);
int label_new(Program *p);
void label_place(Program *p, int label);
/* A jump on a condition, LOOP or one of its kind; mov reg, address of the label. */
void put_jcc(Program *p, unsigned cc, int label);
void put_loop_insn(Program *p, int label);
void put_label_address(Program *p, unsigned reg, int label);
/* Labels of functions, before anything else; at the end the functions and what all labels became. */
void flow_start(Program *p);
void flow_finish(Program *p);
