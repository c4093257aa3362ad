#!/usr/bin/env python3
"""docs/insns.md is what the instruction table says now:  insns_doc.py GENERATOR docs/insns.md"""
import subprocess
import sys

generator, document = sys.argv[1:]
want = subprocess.run([generator], stdout=subprocess.PIPE, check=True, text=True).stdout
have = open(document, encoding="utf-8").read()
if want != have:
    rows = [n for n, (a, b) in enumerate(zip(want.splitlines(), have.splitlines()), 1) if a != b]
    print(f"{document} is not up to date (line {rows[0] if rows else 'at the end'}):\n"
          "  ninja -C build target/x86/insns.md && cp build/target/x86/insns.md docs/insns.md")
    sys.exit(1)
print(f"{len(have.splitlines())} lines, up to date")
