/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The firmware configuration device, port and DMA interface.
 * Spec: "QEMU Firmware Configuration (fw_cfg) Device", the published guest interface (docs/specs/fw_cfg.rst).
 *
 * Items are wiring: a board sets them while it is built (or at reset) and they are not saved.  The state is the
 * selected key and the offset in it.
 */
#include "hw/nvram/fw_cfg.h"

#include <string.h>

#include "util/checked.h"

#define ITEMS (FW_CFG_FILE_FIRST + FW_CFG_MAX_FILES) /* of the general and of the architecture's key space */
#define KEY_MASK 0x3fff                              /* bit 14 asked for the write channel, bit 15 is ARCH_LOCAL */
#define DMA_SIGNATURE 0x51454d5520434647ull          /* "QEMU CFG" */
/* Reads beyond an item's end give zeros; by DMA no more of them than this in one request. */
#define MAX_ZEROS (1 * MIB)

enum { DMA_ERROR = 1 << 0, DMA_READ = 1 << 1, DMA_SKIP = 1 << 2, DMA_SELECT = 1 << 3, DMA_WRITE = 1 << 4 };

typedef struct Item {
    uint8_t *data; /* written only if hooks.written is set */
    size_t len;
    bool owned;
    FwCfgHooks hooks;
} Item;

typedef struct FwCfg {
    Device dev;
    Item items[2][ITEMS];
    unsigned num_files;
    char names[FW_CFG_MAX_FILES][FW_CFG_MAX_NAME]; /* sorted; file n has key FILE_FIRST + n */
    struct {
        uint64_t dma_addr;
        uint32_t key;
        uint32_t offset;
    } s;
} FwCfg;

static const Field fw_cfg_state[] = {
    FIELD(FwCfg, dma_addr, 0),
    FIELD_RANGE(FwCfg, key, 0, 0, UINT16_MAX),
    FIELD(FwCfg, offset, 0),
};

static FwCfg *fw_cfg(Device *dev)
{
    return container_of(dev, FwCfg, dev);
}

static Item *find(FwCfg *f, unsigned key)
{
    unsigned n = key & KEY_MASK;
    return n < ITEMS ? &f->items[key & FW_CFG_ARCH_LOCAL ? 1 : 0][n] : NULL;
}

/* ---- contents ---- */

static void item_clear(Item *item)
{
    if (item->owned) {
        g_free(item->data);
    }
    *item = (Item){0};
}

static bool put(Device *dev, unsigned key, void *data, size_t len, bool owned)
{
    Item *item = find(fw_cfg(dev), key);
    if (!item || len > UINT32_MAX) {
        if (owned) {
            g_free(data);
        }
        return false;
    }
    item_clear(item);
    *item = (Item){.data = data, .len = len, .owned = owned};
    return true;
}

bool fw_cfg_add(Device *dev, uint16_t key, const void *data, size_t len)
{
    return put(dev, key, (void *)(uintptr_t)data, len, false);
}

bool fw_cfg_add_copy(Device *dev, uint16_t key, const void *data, size_t len)
{
    return put(dev, key, g_memdup2(data, len), len, true);
}

bool fw_cfg_add_u16(Device *dev, uint16_t key, uint16_t value)
{
    uint16_t le = GUINT16_TO_LE(value);
    return fw_cfg_add_copy(dev, key, &le, sizeof(le));
}

bool fw_cfg_add_u32(Device *dev, uint16_t key, uint32_t value)
{
    uint32_t le = GUINT32_TO_LE(value);
    return fw_cfg_add_copy(dev, key, &le, sizeof(le));
}

bool fw_cfg_add_u64(Device *dev, uint16_t key, uint64_t value)
{
    uint64_t le = GUINT64_TO_LE(value);
    return fw_cfg_add_copy(dev, key, &le, sizeof(le));
}

/* The directory: number of files, then for each its size, key, two bytes of nothing and name; big endian. */
typedef struct __attribute__((packed)) DirEntry {
    uint32_t size;
    uint16_t key;
    uint16_t reserved;
    char name[FW_CFG_MAX_NAME];
} DirEntry;

static void make_directory(FwCfg *f)
{
    size_t len = sizeof(uint32_t) + f->num_files * sizeof(DirEntry);
    uint8_t *dir = g_malloc0(len);
    uint32_t count = GUINT32_TO_BE(f->num_files);
    memcpy(dir, &count, sizeof(count));
    for (unsigned i = 0; i < f->num_files; i++) {
        DirEntry entry = {
            .size = GUINT32_TO_BE((uint32_t)f->items[0][FW_CFG_FILE_FIRST + i].len),
            .key = GUINT16_TO_BE((uint16_t)(FW_CFG_FILE_FIRST + i)),
        };
        memcpy(entry.name, f->names[i], FW_CFG_MAX_NAME);
        memcpy(dir + sizeof(count) + i * sizeof(entry), &entry, sizeof(entry));
    }
    put(&f->dev, FW_CFG_FILE_DIR, dir, len, true);
}

/* The slot of a name, made if need be (keys are not promised to a guest before it reads the directory); -1: none. */
static int file_slot(FwCfg *f, const char *name)
{
    size_t len = strlen(name);
    unsigned n = 0;
    int order = -1;
    if (len == 0 || len >= FW_CFG_MAX_NAME) {
        return -1;
    }
    while (n < f->num_files && (order = strcmp(f->names[n], name)) < 0) {
        n++;
    }
    if (n < f->num_files && order == 0) {
        return (int)n;
    }
    if (f->num_files >= FW_CFG_MAX_FILES) {
        return -1;
    }
    memmove(f->names[n + 1], f->names[n], (f->num_files - n) * FW_CFG_MAX_NAME);
    Item *items = &f->items[0][FW_CFG_FILE_FIRST];
    memmove(&items[n + 1], &items[n], (f->num_files - n) * sizeof(Item));
    items[n] = (Item){0};
    memset(f->names[n], 0, FW_CFG_MAX_NAME);
    memcpy(f->names[n], name, len);
    f->num_files++;
    return (int)n;
}

static bool put_file(Device *dev, const char *name, void *data, size_t len, bool owned, const FwCfgHooks *hooks)
{
    FwCfg *f = fw_cfg(dev);
    int slot = len <= UINT32_MAX ? file_slot(f, name) : -1;
    if (slot < 0) {
        if (owned) {
            g_free(data);
        }
        return false;
    }
    unsigned key = FW_CFG_FILE_FIRST + (unsigned)slot;
    put(dev, key, data, len, owned);
    if (hooks) {
        f->items[0][key].hooks = *hooks;
    }
    make_directory(f);
    return true;
}

bool fw_cfg_add_file(Device *dev, const char *name, const void *data, size_t len)
{
    return put_file(dev, name, (void *)(uintptr_t)data, len, false, NULL);
}

bool fw_cfg_add_file_copy(Device *dev, const char *name, const void *data, size_t len)
{
    return put_file(dev, name, g_memdup2(data, len), len, true, NULL);
}

bool fw_cfg_add_file_hooks(Device *dev, const char *name, void *data, size_t len, const FwCfgHooks *hooks)
{
    return put_file(dev, name, data, len, false, hooks);
}

/* ---- what the guest does ---- */

static void select_key(FwCfg *f, uint16_t key)
{
    f->s.key = key;
    f->s.offset = 0;
    Item *item = find(f, key);
    if (item && item->hooks.selected) {
        item->hooks.selected(item->hooks.opaque);
    }
}

/* Bytes of the selected item behind the offset. */
static size_t remaining(FwCfg *f)
{
    const Item *item = find(f, f->s.key);
    return item && item->len > f->s.offset ? item->len - f->s.offset : 0;
}

static void advance(FwCfg *f, uint32_t len)
{
    f->s.offset = f->s.offset > UINT32_MAX - len ? UINT32_MAX : f->s.offset + len;
}

static uint8_t read_byte(FwCfg *f)
{
    uint8_t byte = remaining(f) ? find(f, f->s.key)->data[f->s.offset] : 0;
    advance(f, 1);
    return byte;
}

/* Copy the item to the guest, zeros behind its end. */
static bool dma_read_item(FwCfg *f, gpa_t addr, uint32_t len)
{
    static const uint8_t zeros[4096];
    const DeviceEnv *env = f->dev.env;
    size_t have = MIN(remaining(f), len), missing = len - have;
    if (missing > MAX_ZEROS || !range_in(addr, len, UINT64_MAX)) {
        return false;
    }
    if (have && !env->dma_write(env->opaque, addr, find(f, f->s.key)->data + f->s.offset, have)) {
        return false;
    }
    for (size_t done = 0; done < missing; done += sizeof(zeros)) {
        if (!env->dma_write(env->opaque, addr + have + done, zeros, MIN(sizeof(zeros), missing - done))) {
            return false;
        }
    }
    return true;
}

/* Writable files only, inside their size. */
static bool dma_write_item(FwCfg *f, gpa_t addr, uint32_t len)
{
    const DeviceEnv *env = f->dev.env;
    Item *item = find(f, f->s.key);
    if (!item || !item->hooks.written || len > remaining(f)) {
        return false;
    }
    if (len && !env->dma_read(env->opaque, addr, item->data + f->s.offset, len)) {
        return false;
    }
    item->hooks.written(item->hooks.opaque, f->s.offset, len);
    return true;
}

/* The request as the guest lays it out, big endian. */
typedef struct DmaAccess {
    uint32_t control;
    uint32_t length;
    uint64_t address;
} DmaAccess;

static void dma_run(FwCfg *f)
{
    const DeviceEnv *env = f->dev.env;
    gpa_t at = f->s.dma_addr;
    DmaAccess request;
    f->s.dma_addr = 0;
    if (!env->dma_read(env->opaque, at, &request, sizeof(request))) {
        guest_error(&f->dev, "no memory at the DMA request's address");
        return;
    }
    uint32_t control = GUINT32_FROM_BE(request.control), len = GUINT32_FROM_BE(request.length);
    gpa_t addr = GUINT64_FROM_BE(request.address);
    bool ok = true;
    if (control & DMA_SELECT) {
        select_key(f, (uint16_t)(control >> 16));
    }
    if (control & DMA_READ) {
        ok = dma_read_item(f, addr, len);
    } else if (control & DMA_WRITE) {
        ok = dma_write_item(f, addr, len);
    } else if (!(control & DMA_SKIP)) {
        len = 0;
    }
    if (ok) {
        advance(f, len);
    }
    uint32_t result = GUINT32_TO_BE(ok ? 0 : DMA_ERROR);
    env->dma_write(env->opaque, at, &result, sizeof(result));
}

/* A 16-bit write selects; bytes of the item are read one at a time from 0x511 (0x510 shows the same). */
static uint64_t port_read(void *opaque, uint64_t offset, unsigned size)
{
    return size == 1 ? read_byte(opaque) : UINT16_MAX;
}

static void port_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    if (size == 2) {
        select_key(opaque, (uint16_t)value);
    }
}

/* Both halves are big endian; the write of the low one starts the request. */
static uint64_t dma_read(void *opaque, uint64_t offset, unsigned size)
{
    uint64_t bytes = GUINT64_SWAP_LE_BE(DMA_SIGNATURE); /* as they lie in the ports */
    return bytes >> (offset * 8);
}

static void dma_write(void *opaque, uint64_t offset, uint64_t value, unsigned size)
{
    FwCfg *f = opaque;
    if (size == 8 && offset == 0) {
        f->s.dma_addr = GUINT64_SWAP_LE_BE(value);
        dma_run(f);
    } else if (size == 4 && offset == 0) {
        f->s.dma_addr = (uint64_t)GUINT32_SWAP_LE_BE((uint32_t)value) << 32;
    } else if (size == 4 && offset == 4) {
        f->s.dma_addr |= GUINT32_SWAP_LE_BE((uint32_t)value);
        dma_run(f);
    }
}

/* ---- life ---- */

static const RegionOps port_ops = {.read = port_read, .write = port_write, .max_size = 2};
static const RegionOps dma_ops = {.read = dma_read, .write = dma_write, .max_size = 8};

static bool fw_cfg_realize(Device *dev, GError **error)
{
    fw_cfg_add_copy(dev, FW_CFG_SIGNATURE, "QEMU", 4);
    fw_cfg_add_u32(dev, FW_CFG_ID, 3); /* the traditional interface and DMA */
    make_directory(fw_cfg(dev));
    device_region_init_io(dev, "fwcfg", 2, &port_ops);
    device_region_init_io(dev, "fwcfg-dma", 8, &dma_ops);
    return true;
}

static void fw_cfg_unrealize(Device *dev)
{
    FwCfg *f = fw_cfg(dev);
    for (unsigned i = 0; i < ITEMS; i++) {
        item_clear(&f->items[0][i]);
        item_clear(&f->items[1][i]);
    }
}

DEVICE_TYPE(fw_cfg, FwCfg, .name = "fw_cfg", .desc = "firmware configuration", FIELDS(fw_cfg_state),
            .realize = fw_cfg_realize, .unrealize = fw_cfg_unrealize);
