/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Bare-metal start by PVH (32-bit protected mode, paging off): page tables, long mode, main().  Application
 * processors come in through ap_trampoline in real mode.
 * Linear map: the low 4 GiB one to one for the supervisor (2 MiB pages), and once more at USER_ALIAS for user mode.
 */
    .section .note.pvh, "a", @note
    .balign 4
    .long   4, 4, 18            /* "Xen\0", 4 bytes, XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz  "Xen"
    .long   start32

    .text
    .code32
    .globl start32
start32:
    cli
    cld
    mov     $boot_stack_top, %esp
    /* PML4[0] -> supervisor tables, PML4[1] (USER_ALIAS) -> user tables */
    movl    $pdpt + 3, pml4
    movl    $pdpt_user + 7, pml4 + 8
    xor     %ecx, %ecx
1:  mov     %ecx, %eax
    shl     $12, %eax
    lea     pd + 3(%eax), %edx
    mov     %edx, pdpt(,%ecx,8)
    lea     pd_user + 7(%eax), %edx
    mov     %edx, pdpt_user(,%ecx,8)
    inc     %ecx
    cmp     $4, %ecx
    jne     1b
    xor     %ecx, %ecx
2:  mov     %ecx, %eax
    shl     $21, %eax
    or      $0x83, %eax         /* P W PS */
    mov     %eax, pd(,%ecx,8)
    or      $4, %eax            /* U */
    mov     %eax, pd_user(,%ecx,8)
    inc     %ecx
    cmp     $2048, %ecx
    jne     2b
    call    enter_long_mode
    ljmp    $0x08, $start64

    /* Paging and EFER.LME on, GDT loaded; still in compatibility code on return. */
enter_long_mode:
    lgdt    gdt_pointer
    mov     $0x6b0, %eax        /* PSE PAE PGE OSFXSR OSXMMEXCPT */
    mov     %eax, %cr4
    mov     $pml4, %eax
    mov     %eax, %cr3
    mov     $0xc0000080, %ecx
    rdmsr
    or      $0x901, %eax        /* NXE LME SCE */
    wrmsr
    mov     $0x80010033, %eax   /* PG WP NE ET MP PE */
    mov     %eax, %cr0
    ret

    .code64
start64:
    mov     $0x10, %eax
    mov     %eax, %ds
    mov     %eax, %es
    mov     %eax, %ss
    xor     %eax, %eax
    mov     %eax, %fs
    mov     %eax, %gs
    mov     $boot_stack_top, %rsp
    xor     %ebp, %ebp
    mov     %ebx, %edi          /* PVH: start_info */
    call    guest_start
0:  hlt
    jmp     0b

/* ---- application processors: copied to 0x8000 ---- */
    .code16
    .globl ap_trampoline, ap_trampoline_end
ap_trampoline:
    cli
    xor     %ax, %ax
    mov     %ax, %ds
    lgdtl   0x8000 + (ap_gdt_pointer - ap_trampoline)
    mov     %cr0, %eax
    or      $1, %al
    mov     %eax, %cr0
    ljmpl   $0x18, $ap32
    .balign 8
ap_gdt_pointer:
    .word   gdt_end - gdt - 1
    .long   gdt
ap_trampoline_end:

    .code32
ap32:
    mov     $0x20, %eax
    mov     %eax, %ds
    mov     %eax, %es
    mov     %eax, %ss
    mov     $1, %eax
    lock xadd %eax, ap_count
    inc     %eax                /* processor number, the boot processor being 0 */
    mov     %eax, %ebx
    shl     $14, %eax
    lea     ap_stacks(%eax), %esp
    call    enter_long_mode
    ljmp    $0x08, $ap64
    .code64
ap64:
    mov     $0x10, %eax
    mov     %eax, %ds
    mov     %eax, %es
    mov     %eax, %ss
    mov     %ebx, %edi
    call    guest_ap_start
0:  hlt
    jmp     0b

/* ---- exception and interrupt stubs: 16 bytes each, vectors 0..255 ---- */
    .balign 16
    .globl  stubs
stubs:
    .set    v, 0
    .rept   256
    .balign 16
    .if (v == 8) || (v >= 10 && v <= 14) || (v == 17) || (v == 21)
    nop
    nop
    .else
    push    $0
    .endif
    push    $v
    jmp     stub_common
    .set    v, v + 1
    .endr

stub_common:
    push    %rax
    push    %rcx
    push    %rdx
    push    %rbx
    push    %rbp
    push    %rsi
    push    %rdi
    push    %r8
    push    %r9
    push    %r10
    push    %r11
    push    %r12
    push    %r13
    push    %r14
    push    %r15
    mov     %rsp, %rdi
    mov     %rsp, %rbp
    and     $-16, %rsp
    cld
    call    guest_interrupt
    mov     %rbp, %rsp
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %r11
    pop     %r10
    pop     %r9
    pop     %r8
    pop     %rdi
    pop     %rsi
    pop     %rbp
    pop     %rbx
    pop     %rdx
    pop     %rcx
    pop     %rax
    add     $16, %rsp
    iretq

/* uint64_t guest_call_user(entry, stack, arg): run in ring 3 until int $0x80; returns its RAX. */
    .globl  guest_call_user, guest_return_from_user
guest_call_user:
    push    %rbx
    push    %rbp
    push    %r12
    push    %r13
    push    %r14
    push    %r15
    pushfq
    mov     %rsp, user_return_rsp
    mov     %rsp, tss + 4       /* RSP0 */
    pushq   $0x33               /* SS: user data */
    push    %rsi
    pushfq
    pushq   $0x3b               /* CS: user 64-bit code */
    push    %rdi
    mov     %rdx, %rdi
    iretq
guest_return_from_user:         /* rdi: value; jumped to on the interrupt's stack */
    mov     user_return_rsp, %rsp
    mov     $0x10, %eax         /* the way to ring 3 and back left null selectors */
    mov     %eax, %ds
    mov     %eax, %es
    mov     %eax, %ss
    mov     %rdi, %rax
    popfq
    pop     %r15
    pop     %r14
    pop     %r13
    pop     %r12
    pop     %rbp
    pop     %rbx
    ret

/* int guest_try_asm(struct Recovery *): 0 now, 1 when guest_recover() jumps back. */
    .globl  guest_try_asm, guest_recover
guest_try_asm:
    mov     %rbx, (%rdi)
    mov     %rbp, 8(%rdi)
    mov     %r12, 16(%rdi)
    mov     %r13, 24(%rdi)
    mov     %r14, 32(%rdi)
    mov     %r15, 40(%rdi)
    lea     8(%rsp), %rax
    mov     %rax, 48(%rdi)
    mov     (%rsp), %rax
    mov     %rax, 56(%rdi)
    xor     %eax, %eax
    ret
guest_recover:
    mov     $0x10, %eax
    mov     %eax, %ds
    mov     %eax, %es
    mov     %eax, %ss
    mov     (%rdi), %rbx
    mov     8(%rdi), %rbp
    mov     16(%rdi), %r12
    mov     24(%rdi), %r13
    mov     32(%rdi), %r14
    mov     40(%rdi), %r15
    mov     48(%rdi), %rsp
    mov     $1, %eax
    jmp     *56(%rdi)

    .data
    .balign 8
    .globl  gdt, gdt_end, tss, ap_count
gdt:
    .quad   0
    .quad   0x00af9b000000ffff  /* 08 64-bit code */
    .quad   0x00cf93000000ffff  /* 10 data */
    .quad   0x00cf9b000000ffff  /* 18 32-bit code */
    .quad   0x00cf93000000ffff  /* 20 data */
    .quad   0x00cffb000000ffff  /* 28 user 32-bit code (2b) */
    .quad   0x00cff3000000ffff  /* 30 user data (33) */
    .quad   0x00affb000000ffff  /* 38 user 64-bit code (3b) */
    .quad   0, 0                /* 40 TSS */
    .quad   0, 0, 0, 0, 0, 0    /* 50.. for tests */
gdt_end:
gdt_pointer:
    .word   gdt_end - gdt - 1
    .quad   gdt
ap_count:
    .long   0
    .balign 16
tss:
    .skip   104

    .bss
    .balign 4096
    .globl  pml4, pdpt, pdpt_user, pd, pd_user, boot_stack_top, user_stack_top
pml4:       .skip 4096
pdpt:       .skip 4096
pdpt_user:  .skip 4096
pd:         .skip 4096 * 4
pd_user:    .skip 4096 * 4
ap_stacks:  .skip 65536 * 4
user_return_rsp: .skip 8
    .balign 4096
    .skip   32768
boot_stack_top:
    .skip   16384
user_stack_top:
    .section .note.GNU-stack, "", @progbits
