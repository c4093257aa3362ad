/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hardware task switches.
 * Spec: Intel SDM vol 3 chapter 7.
 */
#pragma once

#include "target/x86/segment.h"

typedef enum TaskCause { TASK_JMP, TASK_CALL, TASK_INT, TASK_IRET } TaskCause;

/*
 * Switch to the task that `sel` names: a TSS that is available, or busy for IRET.  cpu->rip is what the old task
 * resumes at.  An error code, if there is one, goes on the new task's stack.
 */
void task_switch(X86Cpu *cpu, uint16_t sel, TaskCause cause, unsigned ext, bool has_error, uint32_t error);
/* IRET with NT set: back to the task in the link field. */
void task_return(X86Cpu *cpu);
