#!/usr/bin/env python3
"""The option table is complete: names are unique, each has a help text, each that claims an effect is read somewhere.

option_table.py SOURCE-ROOT BINARY
"""
import glob
import os
import re
import subprocess
import sys

ROW = re.compile(r'^OPT\((\w+), "([^"]+)", (NULL|"[^"]*"), (NULL|"[^"]*"), (DO|TAKE|LATER), "([^"]*)"\)$')


def main():
    root, binary = sys.argv[1:]
    problems, names, ids = [], set(), {}
    for n, line in enumerate(open(os.path.join(root, "softmmu/options.def")), 1):
        if not line.startswith("OPT("):
            continue
        row = ROW.match(line.rstrip())
        if not row:
            problems.append(f"options.def:{n}: not a row: {line.rstrip()}")
            continue
        ident, name, alias, arg, status, text = row.groups()
        for word in [name] + ([alias.strip('"')] if alias != "NULL" else []):
            if word in names:
                problems.append(f"options.def:{n}: -{word} is there twice")
            names.add(word)
        if not text or text[0].isupper() and not re.match(r"[A-Z]{2}|iSCSI", text) or text.endswith("."):
            problems.append(f"options.def:{n}: -{name}: help is a phrase: lower case, no full stop")
        ids[ident] = (name, status, text)
    code = "".join(open(f).read() for f in glob.glob(os.path.join(root, "softmmu/*.c")))
    shown = subprocess.run([binary, "-h"], capture_output=True, text=True, check=True).stdout
    for ident, (name, status, text) in ids.items():
        used = re.search(rf"\bOPT_{ident}\b", code) is not None
        if used != (status == "DO"):
            problems.append(f"-{name}: {status}, but the program {'reads' if used else 'never reads'} it")
        if (status == "LATER") == (re.search(rf"-{re.escape(name)}(?=[ ,\n])", shown) is not None and text in shown):
            problems.append(f"-{name}: {status}, but -h {'has' if status == 'LATER' else 'lacks'} it")
    print(f"{len(ids)} options")
    for p in problems:
        print(p)
    return 1 if problems else 0


sys.exit(main())
