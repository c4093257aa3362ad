/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Enter a case with its whole register state, and the door it leaves by.  Offsets are those of Control in native.c. */
#ifdef __x86_64__
    .bss
    .balign 64
    .globl native_control
    .hidden native_control
native_control:
    .skip 2048

    .text
    .set C, native_control

    .macro load_state
    push    %rbx
    push    %rbp
    push    %r12
    push    %r13
    push    %r14
    push    %r15
    mov     %rsp, C+288(%rip)
    fninit                      /* FIP, FDP, FOP: FXRSTOR leaves them on some CPUs */
    cmpb    $0, C+310(%rip)
    je      1f
    mov     $7, %eax            /* x87, SSE and AVX */
    xor     %edx, %edx
    xrstor64 C+320(%rip)
    jmp     2f
1:  fxrstor64 C+320(%rip)
2:
    pushq   C+256(%rip)
    popfq
    mov     C+0(%rip), %rax
    mov     C+8(%rip), %rcx
    mov     C+16(%rip), %rdx
    mov     C+24(%rip), %rbx
    mov     C+32(%rip), %rsp
    mov     C+40(%rip), %rbp
    mov     C+48(%rip), %rsi
    mov     C+56(%rip), %rdi
    mov     C+64(%rip), %r8
    mov     C+72(%rip), %r9
    mov     C+80(%rip), %r10
    mov     C+88(%rip), %r11
    mov     C+96(%rip), %r12
    mov     C+104(%rip), %r13
    mov     C+112(%rip), %r14
    mov     C+120(%rip), %r15
    .endm

    .globl native_enter64
    .hidden native_enter64
native_enter64:
    endbr64
    load_state
    jmp     *C+272(%rip)

    .globl native_enter32
    .hidden native_enter32
native_enter32:
    endbr64
    load_state
    ljmp    *C+304(%rip)

    .globl native_exit64
    .hidden native_exit64
native_exit64:
    mov     %rax, C+128(%rip)
    mov     %rcx, C+136(%rip)
    mov     %rdx, C+144(%rip)
    mov     %rbx, C+152(%rip)
    mov     %rsp, C+160(%rip)
    mov     %rbp, C+168(%rip)
    mov     %rsi, C+176(%rip)
    mov     %rdi, C+184(%rip)
    mov     %r8, C+192(%rip)
    mov     %r9, C+200(%rip)
    mov     %r10, C+208(%rip)
    mov     %r11, C+216(%rip)
    mov     %r12, C+224(%rip)
    mov     %r13, C+232(%rip)
    mov     %r14, C+240(%rip)
    mov     %r15, C+248(%rip)
    mov     C+288(%rip), %rsp
    pushfq
    popq    C+264(%rip)
    cmpb    $0, C+310(%rip)
    je      1f
    mov     $7, %eax
    xor     %edx, %edx
    xsave64 C+1152(%rip)
    jmp     native_fault_exit
1:  fxsave64 C+1152(%rip)

    .globl native_fault_exit
    .hidden native_fault_exit
native_fault_exit:
    pushq   $0x202
    popfq
    fninit
    pushq   $0x1f80
    ldmxcsr (%rsp)
    pop     %rax
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %rbp
    pop     %rbx
    ret
#endif
    .section .note.GNU-stack,"",@progbits
