/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The firmware configuration device: named pieces of data that a board gives to firmware and kernels.
 * Regions: 0 selector and data (ports 0x510-0x511), 1 DMA address (ports 0x514-0x51b).
 */
#pragma once

#include "hw/core/device.h"

#define FW_CFG_IOBASE 0x510
#define FW_CFG_DMA_IOBASE 0x514
#define FW_CFG_MAX_FILES 64
#define FW_CFG_MAX_NAME 56 /* with the NUL */

enum {
    FW_CFG_SIGNATURE = 0x00, FW_CFG_ID = 0x01, FW_CFG_UUID = 0x02, FW_CFG_RAM_SIZE = 0x03, FW_CFG_NOGRAPHIC = 0x04,
    FW_CFG_NB_CPUS = 0x05, FW_CFG_KERNEL_ADDR = 0x07, FW_CFG_KERNEL_SIZE = 0x08, FW_CFG_KERNEL_CMDLINE = 0x09,
    FW_CFG_INITRD_ADDR = 0x0a, FW_CFG_INITRD_SIZE = 0x0b, FW_CFG_BOOT_DEVICE = 0x0c, FW_CFG_BOOT_MENU = 0x0e,
    FW_CFG_MAX_CPUS = 0x0f, FW_CFG_KERNEL_ENTRY = 0x10, FW_CFG_KERNEL_DATA = 0x11, FW_CFG_INITRD_DATA = 0x12,
    FW_CFG_CMDLINE_ADDR = 0x13, FW_CFG_CMDLINE_SIZE = 0x14, FW_CFG_CMDLINE_DATA = 0x15, FW_CFG_SETUP_ADDR = 0x16,
    FW_CFG_SETUP_SIZE = 0x17, FW_CFG_SETUP_DATA = 0x18, FW_CFG_FILE_DIR = 0x19, FW_CFG_FILE_FIRST = 0x20,
    FW_CFG_ARCH_LOCAL = 0x8000,
    FW_CFG_ACPI_TABLES = 0x8000, FW_CFG_SMBIOS_ENTRIES = 0x8001, FW_CFG_IRQ0_OVERRIDE = 0x8002,
    FW_CFG_E820_TABLE = 0x8003, FW_CFG_HPET = 0x8004,
};

/* What a file may do besides being read.  Members may be NULL. */
typedef struct FwCfgHooks {
    void (*selected)(void *opaque);                             /* before the guest reads it from the start */
    void (*written)(void *opaque, uint32_t offset, size_t len); /* the guest changed data (makes it writable) */
    void *opaque;
} FwCfgHooks;

/*
 * Items by number and files by name; adding one again replaces it.  The data is borrowed and must outlive the device
 * or its replacement; fw_cfg_add_copy/u16/u32/u64 keep a copy.  False: no such key, name too long or directory full.
 */
bool fw_cfg_add(Device *dev, uint16_t key, const void *data, size_t len);
bool fw_cfg_add_copy(Device *dev, uint16_t key, const void *data, size_t len);
bool fw_cfg_add_u16(Device *dev, uint16_t key, uint16_t value);
bool fw_cfg_add_u32(Device *dev, uint16_t key, uint32_t value);
bool fw_cfg_add_u64(Device *dev, uint16_t key, uint64_t value);
bool fw_cfg_add_file(Device *dev, const char *name, const void *data, size_t len);
bool fw_cfg_add_file_copy(Device *dev, const char *name, const void *data, size_t len);
/* data must be writable memory when hooks->written is set.  hooks is copied. */
bool fw_cfg_add_file_hooks(Device *dev, const char *name, void *data, size_t len, const FwCfgHooks *hooks);
