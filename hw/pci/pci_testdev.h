/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * "pci-testdev": a function whose windows count writes, for test suites of PCI code.
 * Spec: the published description of the device 1b36:0005, "PCI test device".
 */
#pragma once

#include "hw/pci/pci.h"

extern const DeviceType pci_testdev_type;

/* The header at the start of each window. */
enum {
    PCI_TESTDEV_TEST = 0,    /* byte, write: choose a test */
    PCI_TESTDEV_WIDTH = 1,   /* byte, read: width of the test's access, 0 when there is no such test */
    PCI_TESTDEV_OFFSET = 4,  /* dword, read: where to write */
    PCI_TESTDEV_DATA = 8,    /* dword, read: what to write */
    PCI_TESTDEV_COUNT = 12,  /* dword, read: matching writes seen since the test was chosen */
    PCI_TESTDEV_NAME = 16,   /* zero-terminated */
    PCI_TESTDEV_HEADER = 48, /* bytes */
};
