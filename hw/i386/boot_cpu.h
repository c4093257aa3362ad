/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The processors as firmware leaves them, and the boot processor at a kernel's entry point. */
#pragma once

#include "hw/i386/boot_image.h"
#include "target/x86/cpu.h"

/* Cache types of memory as PC firmware sets them up: RAM write-back, VGA and the PCI hole uncached. */
void boot_cpu_set_mtrrs(X86Cpu *cpu);
/* After cpu_reset(): registers and modes that the entry asks for. */
void boot_cpu_enter(X86Cpu *cpu, const BootEntry *entry);
