/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list of engines, best first. */
#include "accel/accel.h"

#include <string.h>

#include "accel/interp/interp.h"
#include "accel/kvm/kvm.h"
#include "accel/tcg/tcg.h"

static const AccelOps *const all[] = {&kvm_accel_ops, &interp_accel_ops, &tcg_accel_ops};

const AccelOps *const *accel_all(size_t *count)
{
    *count = ARRAY_LEN(all);
    return all;
}

const AccelOps *accel_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        if (strcmp(all[i]->name, name) == 0) {
            return all[i];
        }
    }
    return NULL;
}
