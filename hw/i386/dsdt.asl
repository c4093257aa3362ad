// SPDX-License-Identifier: GPL-2.0-or-later
// The pc board's devices as an ACPI operating system sees them.
// Spec: ACPI specification 6.5, chapters 5 and 6.

DefinitionBlock ("dsdt.aml", "DSDT", 1, "RHEA", "RHEAPC", 1)
{
    // Bit n: serial port COM(n+1) exists.  Patched by acpi_tables.c.
    Name (\COMS, 0xFF)

    // Soft-off: PM1a_CNT.SLP_TYP.
    Name (\_S5, Package () { 0, 0, 0, 0 })

    Scope (\_SB)
    {
        Device (PCI0)
        {
            Name (_HID, EisaId ("PNP0A03"))
            Name (_UID, 0)
            Name (_BBN, 0)

            Name (_CRS, ResourceTemplate ()
            {
                WordBusNumber (ResourceProducer, MinFixed, MaxFixed, PosDecode, 0, 0, 0xFF, 0, 0x100)
                IO (Decode16, 0x0CF8, 0x0CF8, 1, 8)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                        0, 0x0000, 0x0CF7, 0, 0x0CF8)
                WordIO (ResourceProducer, MinFixed, MaxFixed, PosDecode, EntireRange,
                        0, 0x0D00, 0xFFFF, 0, 0xF300)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable, ReadWrite,
                        0, 0x000A0000, 0x000BFFFF, 0, 0x00020000)
                DWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, NonCacheable, ReadWrite,
                        0, 0xE0000000, 0xFEBFFFFF, 0, 0x1EC00000)
                QWordMemory (ResourceProducer, PosDecode, MinFixed, MaxFixed, Cacheable, ReadWrite,
                        0, 0x8000000000, 0xFFFFFFFFFF, 0, 0x8000000000)
            })

// Pin p (0 is INTA#) of slot s asks on request (s + p - 1) mod 4.
#define ROUTE(slot, a, b, c, d) \
                Package () { (slot << 16) | 0xFFFF, 0, a, 0 }, \
                Package () { (slot << 16) | 0xFFFF, 1, b, 0 }, \
                Package () { (slot << 16) | 0xFFFF, 2, c, 0 }, \
                Package () { (slot << 16) | 0xFFFF, 3, d, 0 }
#define FOUR(slot) \
                ROUTE (slot + 0, LNKD, LNKA, LNKB, LNKC), \
                ROUTE (slot + 1, LNKA, LNKB, LNKC, LNKD), \
                ROUTE (slot + 2, LNKB, LNKC, LNKD, LNKA), \
                ROUTE (slot + 3, LNKC, LNKD, LNKA, LNKB)

            Name (_PRT, Package ()
            {
                ROUTE (0, LNKD, LNKA, LNKB, LNKC),
                ROUTE (1, LNKS, LNKB, LNKC, LNKD), // the power management function's INTA# is the SCI
                ROUTE (2, LNKB, LNKC, LNKD, LNKA),
                ROUTE (3, LNKC, LNKD, LNKA, LNKB),
                FOUR (4), FOUR (8), FOUR (12), FOUR (16), FOUR (20), FOUR (24), FOUR (28)
            })

            Device (ISA)
            {
                Name (_ADR, 0x00010000)
                OperationRegion (P40C, PCI_Config, 0x60, 4)
                Field (P40C, ByteAcc, NoLock, Preserve)
                {
                    PRQA, 8, PRQB, 8, PRQC, 8, PRQD, 8
                }

                Device (RTC)
                {
                    Name (_HID, EisaId ("PNP0B00"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x0070, 0x0070, 1, 8)
                        IRQNoFlags () { 8 }
                    })
                }
                Device (KBD)
                {
                    Name (_HID, EisaId ("PNP0303"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x0060, 0x0060, 1, 1)
                        IO (Decode16, 0x0064, 0x0064, 1, 1)
                        IRQNoFlags () { 1 }
                    })
                }
                Device (MOU)
                {
                    Name (_HID, EisaId ("PNP0F13"))
                    Name (_CRS, ResourceTemplate ()
                    {
                        IRQNoFlags () { 12 }
                    })
                }

#define COM(name, uid, bit, port, irq) \
                Device (name) \
                { \
                    Name (_HID, EisaId ("PNP0501")) \
                    Name (_UID, uid) \
                    Method (_STA, 0, NotSerialized) \
                    { \
                        If (COMS & bit) { Return (0x0F) } \
                        Return (0) \
                    } \
                    Name (_CRS, ResourceTemplate () \
                    { \
                        IO (Decode16, port, port, 1, 8) \
                        IRQNoFlags () { irq } \
                    }) \
                }
                COM (COM1, 1, 1, 0x03F8, 4)
                COM (COM2, 2, 2, 0x02F8, 3)
                COM (COM3, 3, 4, 0x03E8, 4)
                COM (COM4, 4, 8, 0x02E8, 3)

                // Ports that belong to the chipset and to no device above.
                Device (MBRD)
                {
                    Name (_HID, EisaId ("PNP0C02"))
                    Name (_UID, 1)
                    Name (_CRS, ResourceTemplate ()
                    {
                        IO (Decode16, 0x0092, 0x0092, 1, 1)
                        IO (Decode16, 0x00B2, 0x00B2, 1, 2)
                        IO (Decode16, 0x04D0, 0x04D0, 1, 2)
                        IO (Decode16, 0x0600, 0x0600, 1, 64)
                        IO (Decode16, 0xAFE0, 0xAFE0, 1, 4)
                    })
                }
            }
        }

        // Interrupt links: the PIIX3 routes each request to an ISA interrupt, seen by 8259s and I/O APIC alike.
#define LINK(name, uid, reg) \
        Device (name) \
        { \
            Name (_HID, EisaId ("PNP0C0F")) \
            Name (_UID, uid) \
            Name (_PRS, ResourceTemplate () \
            { \
                Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 5, 10, 11 } \
            }) \
            Method (_STA, 0, NotSerialized) \
            { \
                If (^^PCI0.ISA.reg & 0x80) { Return (0x09) } \
                Return (0x0B) \
            } \
            Method (_DIS, 0, NotSerialized) \
            { \
                ^^PCI0.ISA.reg |= 0x80 \
            } \
            Method (_CRS, 0, Serialized) \
            { \
                Name (RES, ResourceTemplate () \
                { \
                    Interrupt (ResourceConsumer, Level, ActiveHigh, Shared,,, IRQ) { 0 } \
                }) \
                CreateDWordField (RES, IRQ._INT, NUM) \
                If (!(^^PCI0.ISA.reg & 0x80)) { NUM = ^^PCI0.ISA.reg } \
                Return (RES) \
            } \
            Method (_SRS, 1, NotSerialized) \
            { \
                CreateDWordField (Arg0, 5, NUM) \
                ^^PCI0.ISA.reg = NUM \
            } \
        }
        LINK (LNKA, 1, PRQA)
        LINK (LNKB, 2, PRQB)
        LINK (LNKC, 3, PRQC)
        LINK (LNKD, 4, PRQD)

        Device (LNKS)
        {
            Name (_HID, EisaId ("PNP0C0F"))
            Name (_UID, 5)
            Name (_PRS, ResourceTemplate ()
            {
                Interrupt (ResourceConsumer, Level, ActiveHigh, Shared) { 9 }
            })
            Method (_STA, 0, NotSerialized) { Return (0x0B) }
            Method (_DIS, 0, NotSerialized) { }
            Method (_CRS, 0, NotSerialized) { Return (_PRS) }
            Method (_SRS, 1, NotSerialized) { }
        }
    }
}
