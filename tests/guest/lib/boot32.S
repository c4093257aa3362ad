/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bare-metal start by PVH of 32-bit guests: flat protected mode, paging stays off. */
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
    lgdt    gdt_pointer
    ljmp    $0x08, $1f
1:  call    load_flat
    xor     %eax, %eax
    mov     %eax, %cr4
    mov     $0x33, %eax         /* NE ET MP PE */
    mov     %eax, %cr0
    push    %ebx                /* PVH: start_info */
    call    guest_start
0:  hlt
    jmp     0b

load_flat:
    mov     $0x10, %eax
    mov     %eax, %ds
    mov     %eax, %es
    mov     %eax, %fs
    mov     %eax, %gs
    mov     %eax, %ss
    ret

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
    pusha
    push    %ds
    push    %es
    push    %fs
    push    %gs
    mov     $0x10, %eax
    mov     %eax, %ds
    mov     %eax, %es
    cld
    mov     %esp, %ebp
    push    %ebp
    call    guest_interrupt
    mov     %ebp, %esp
    pop     %gs
    pop     %fs
    pop     %es
    pop     %ds
    popa
    add     $8, %esp
    iret

/* uint32_t guest_enter(entry frame: eip cs eflags esp ss es ds fs gs, arg): returns EAX of int $0x80 */
    .globl  guest_enter, guest_return
guest_enter:
    mov     4(%esp), %ecx
    mov     8(%esp), %edx
    push    %ebx
    push    %ebp
    push    %esi
    push    %edi
    pushf
    mov     %esp, return_esp
    mov     %esp, tss + 4       /* ESP0 */
    sub     $36, %esp
    mov     %esp, %edi
    mov     %ecx, %esi
    mov     $9, %ecx
    rep movsl
    mov     %edx, %eax
    testl   $0x20000, 8(%esp)
    jnz     1f
    mov     $0x33, %ecx
    mov     %ecx, %ds
    mov     %ecx, %es
1:  iret
guest_return:                   /* value in 4(%esp) */
    mov     4(%esp), %eax
    mov     return_esp, %esp
    push    %eax
    call    load_flat
    pop     %eax
    popf
    pop     %edi
    pop     %esi
    pop     %ebp
    pop     %ebx
    ret

/* int guest_try_asm(struct Recovery *): 0 now, 1 when guest_recover() jumps back. */
    .globl  guest_try_asm, guest_recover
guest_try_asm:
    mov     4(%esp), %eax
    mov     %ebx, (%eax)
    mov     %ebp, 4(%eax)
    mov     %esi, 8(%eax)
    mov     %edi, 12(%eax)
    lea     4(%esp), %ecx
    mov     %ecx, 16(%eax)
    mov     (%esp), %ecx
    mov     %ecx, 20(%eax)
    xor     %eax, %eax
    ret
guest_recover:
    mov     4(%esp), %edx
    mov     $0x10, %eax
    mov     %eax, %ss
    mov     16(%edx), %esp
    call    load_flat
    mov     (%edx), %ebx
    mov     4(%edx), %ebp
    mov     8(%edx), %esi
    mov     12(%edx), %edi
    push    $2
    popf
    mov     $1, %eax
    jmp     *20(%edx)

/* void call_real(code, regs): code below 1 MiB, called far in real mode with stack 0:7000 */
    .globl  call_real
call_real:
    push    %ebx
    push    %ebp
    push    %esi
    push    %edi
    mov     24(%esp), %edx      /* regs */
    mov     20(%esp), %eax
    mov     %eax, %ecx
    and     $15, %ecx
    mov     %cx, real_target
    shr     $4, %eax
    mov     %ax, real_target + 2
    mov     %esp, return_esp
    /* the part in real mode stands below 1 MiB: copied to 0x6000 */
    mov     $real_part, %esi
    mov     $0x6000, %edi
    mov     $real_part_end - real_part, %ecx
    rep movsb
    mov     %edx, 0x5f00
    mov     real_target, %eax
    mov     %eax, 0x5f04
    mov     (%edx), %eax
    mov     %eax, 0x5f08
    mov     4(%edx), %ebx
    mov     8(%edx), %ecx
    mov     16(%edx), %esi
    mov     20(%edx), %edi
    mov     12(%edx), %edx
    lidt    real_idt
    ljmp    $0x18, $0x6000
real_back:                      /* protected mode again; results stand at 0x5f08 */
    call    load_flat
    mov     return_esp, %esp
    lidt    idt_pointer
    mov     24(%esp), %edx
    mov     0x5f08, %eax
    mov     %eax, (%edx)
    mov     0x5f0c, %eax
    mov     %eax, 4(%edx)
    mov     0x5f10, %eax
    mov     %eax, 8(%edx)
    mov     0x5f14, %eax
    mov     %eax, 12(%edx)
    mov     0x5f18, %eax
    mov     %eax, 16(%edx)
    mov     0x5f1c, %eax
    mov     %eax, 20(%edx)
    pop     %edi
    pop     %esi
    pop     %ebp
    pop     %ebx
    ret

    .code16
real_part:
    mov     $0x20, %ax          /* 64 KiB limits */
    mov     %ax, %ds
    mov     %ax, %es
    mov     %ax, %fs
    mov     %ax, %gs
    mov     %ax, %ss
    mov     %cr0, %eax
    and     $0xfe, %al
    mov     %eax, %cr0
    ljmp    $0, $0x6000 + (1f - real_part)
1:  xor     %ax, %ax
    mov     %ax, %ds
    mov     %ax, %es
    mov     %ax, %fs
    mov     %ax, %gs
    mov     %ax, %ss
    mov     $0x5e00, %esp
    mov     0x5f08, %eax
    lcall   *0x5f04
    cli
    cld
    push    %ds
    push    $0
    pop     %ds
    mov     %eax, 0x5f08
    mov     %ebx, 0x5f0c
    mov     %ecx, 0x5f10
    mov     %edx, 0x5f14
    mov     %esi, 0x5f18
    mov     %edi, 0x5f1c
    lgdtl   0x6000 + (2f - real_part)
    mov     %cr0, %eax
    or      $1, %al
    mov     %eax, %cr0
    ljmpl   $0x08, $real_back
    .balign 4
2:  .word   32 * 8 - 1
    .long   gdt
real_part_end:

    .data
    .balign 8
    .globl  gdt, tss
gdt:
    .quad   0
    .quad   0x00cf9b000000ffff  /* 08 code */
    .quad   0x00cf93000000ffff  /* 10 data */
    .quad   0x00009b000000ffff  /* 18 16-bit code */
    .quad   0x000093000000ffff  /* 20 16-bit data */
    .quad   0x00cffb000000ffff  /* 28 user code (2b) */
    .quad   0x00cff3000000ffff  /* 30 user data (33) */
    .quad   0
    .quad   0                   /* 40 TSS */
    .skip   8 * 23              /* 48.. for tests */
gdt_pointer:
    .word   32 * 8 - 1
    .long   gdt
    .globl  idt_pointer
idt_pointer:
    .word   256 * 8 - 1
    .long   idt
real_idt:
    .word   0x3ff
    .long   0
real_target:
    .long   0

    .bss
    .balign 4096
    .globl  boot_stack_top, user_stack_top
tss:        .skip 12288
return_esp: .skip 8
    .balign 4096
    .skip   32768
boot_stack_top:
    .skip   16384
user_stack_top:
    .section .note.GNU-stack, "", @progbits
