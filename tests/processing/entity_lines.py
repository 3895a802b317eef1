"""Lines as they stand in letters, invoices, papers and logs, and what a careful reader finds there.

Each is a language, a line and what it mentions as kind:value, separated by a bar; numbers that
need check digits have right ones where they are expected, and wrong ones where they are not.
"""

# ruff: noqa: E501 - a line is a line.

Line = tuple[str, str, frozenset[str]]

# What has to be found.
_MENTIONS = """
en | Please write to ada.lovelace@example.com, or call +44 20 7946 0958. | email:ada.lovelace@example.com phone:+442079460958
en | (see https://www.example.org/a_(b)?page=2#top). | url:https://www.example.org/a_(b)?page=2
en | Published on May 12, 2024 at doi:10.1000/XYZ.123. | date:2024-05-12 doi:10.1000/xyz.123
en | On 12 May 2024 we paid $1,234.50 for it. | date:2024-05-12 money:USD~1234.50
en | The contract of the 3rd of January 1999 ends on 2025-12-31. | date:1999-01-03 date:2025-12-31
en | Revenue rose to US$ 4.5 million and costs to €300k. | money:USD~4500000.00 money:EUR~300000.00
en | A debt of £2bn, or GBP 2,000,000,000.00. | money:GBP~2000000000.00
en | ISBN 978-0-306-40615-7, formerly ISBN 0-306-40615-2 | isbn:9780306406157
en | Call us: (415) 555-2671 or 415-555-2672. | phone:+14155552671 phone:+14155552672
en | Paid by card 4111 1111 1111 1111, 5,000 dollars. | card:visa~****1111 money:USD~5000.00
en | Amex 378282246310005 and 5555-5555-5555-4444 were charged. | card:amex~****0005 card:mastercard~****4444
en | Tel: 020 7946 0958, fax 020 7946 0959 | phone:+442079460958 phone:+442079460959
en | Transfer to GB82 WEST 1234 5698 7654 32 by 13/04/2024. | iban:GB82WEST12345698765432 date:2024-04-13
en | VAT No. IE6388047V | vat:IE6388047V
en | Updated 2024/02/29 by <root@mail.corp.example>. | date:2024-02-29 email:root@mail.corp.example
en | See www.example.com/docs. Or http://10.0.0.1:8080/status | url:https://www.example.com/docs url:http://10.0.0.1:8080/status
en | Meeting on 14–16 Sept. 2023 | date:2023-09-16
en | The invoice is USD 99 and EUR 1,500. | money:USD~99.00 money:EUR~1500.00
en | https://doi.org/10.1038/nphys1170 is the paper. | doi:10.1038/nphys1170
en | Jan 1st, 2000 was a Saturday. | date:2000-01-01
de | Bitte überweisen Sie 1.234,56 € auf DE89 3704 0044 0532 0130 00. | money:EUR~1234.56 iban:DE89370400440532013000
de | Berlin, den 12. Mai 2024 | date:2024-05-12
de | Fällig am 01.06.2024, spätestens am 5.6.2024. | date:2024-06-01 date:2024-06-05
de | Tel. 030/901820, Fax: (030) 9018-2134, mobil 0151 23456789 | phone:+4930901820 phone:+493090182134 phone:+4915123456789
de | Umsatz 5 Mio. EUR, Verlust 1,2 Mrd. € | money:EUR~5000000.00 money:EUR~1200000000.00
de | Der Preis beträgt EUR 15.000,00 zzgl. MwSt. | money:EUR~15000.00
de | USt-IdNr. DE136695976 · ATU13585627 | vat:DE136695976 vat:ATU13585627
de | Kostet 12,- € oder 15 Euro im Monat | money:EUR~12.00 money:EUR~15.00
de | E-Mail: Max.Müller@beispiel.de; kontakt@müller.de | email:kontakt@müller.de
de | Wien, 3. Jänner 2023, Telefon +43 1 58858-0 | date:2023-01-03 phone:+431588580
de | Benzin kostet 1,459 € je Liter. | money:EUR~1.459
de | CHF 1'234.50 an CH93 0076 2011 6238 5295 7, CHE-100.155.212 | money:CHF~1234.50 iban:CH9300762011623852957 vat:CHE100155212
de | Zwischen 10 EUR 20 Cent und 30 EUR. | money:EUR~10.00 money:EUR~30.00
de | IBAN: AT611904300234573201 BIC: BKAUATWW | iban:AT611904300234573201
de | Am 24. Dez. 2022 kamen 500 Mio. Euro an. | date:2022-12-24 money:EUR~500000000.00
de | ISBN: 3-16-148410-X, siehe www.beispiel.de/buch | isbn:9783161484100 url:https://www.beispiel.de/buch
fr | Paris, le 1er janvier 2024 : 1 234,50 € à payer. | date:2024-01-01 money:EUR~1234.50
fr | Tél. : 01 42 68 53 00 ; portable 06 12 34 56 78 | phone:+33142685300 phone:+33612345678
fr | Le 14/07/2024, un chèque de 5 millions d'euros | date:2024-07-14 money:EUR~5000000.00
fr | N° TVA : FR40303265045, IBAN FR14 2004 1010 0505 0001 3M02 606 | vat:FR40303265045 iban:FR1420041010050500013M02606
fr | Écrivez à service.clients@exemple.fr avant le 3 août 2023. | email:service.clients@exemple.fr date:2023-08-03
fr | Prix : 12,90€ (au lieu de 1 500 €) | money:EUR~12.90 money:EUR~1500.00
fr | Réunion du 29 févr. 2024 ; voir http://exemple.fr/ordre-du-jour | date:2024-02-29 url:http://exemple.fr/ordre-du-jour
fr | Appelez le +33 1 42 68 53 00 ou le 0033 1 42 68 53 01. | phone:+33142685300 phone:+33142685301
es | Madrid, 12 de mayo de 2024: 1.500,00 EUR | date:2024-05-12 money:EUR~1500.00
it | Roma, 3 marzo 2021, tel. 06 6982 1234 | date:2021-03-03 phone:+390669821234
- | Invoice 2024-05-12: $1,234 | date:2024-05-12 money:USD~1234.00
- | info@example.com · +49 (0)30 901820 · 12.05.2024 | email:info@example.com phone:+4930901820 date:2024-05-12
"""

# What only looks like something; the right numbers in these lines are none of ours.
_TRAPS = """
en | Upgrade from version 1.2.2024 to 10.3.1 or 2.24.05.
en | See pp. 2010-2012, figures 3-12 and table 4/12.
en | Order no. 020 7946 0958 was shipped; ref 0800 123 4567.
en | The date 03/04/2024 may be in March or in April.
en | DE89 3704 0044 0532 0130 01 has a wrong checksum.
en | VAT DE136695977, IE6388047W and FR40303265046 are wrong.
en | Card 4111 1111 1111 1112, tracking 9400 1000 0000 0000 0000 00.
en | ISBN 978-0-306-40615-8 is misprinted, and so is ISBN 0-306-40615-3.
en | Shares rose by 3.5 %, to 1,234.5 points in 2024.
en | git clone git@github.com:org/repo.git, then open logo@2x.png
en | A user@localhost is not an address, nor is @handle or a@b.
en | On 30 February 2024 and 2024-13-01 nothing happened.
en | It weighs 10 pounds and costs $$$; we may 12 times ask.
en | Serial 123456789012345, SKU 4006381333931, part 0151-2345.
en | Chapter 10.1234, section 10.5.2 and 192.168.1.1:8080
en | Log in at https://user:secret@example.com/ with your password.
en | The ratio is 1:1000000 and the range 1000000-2000000.
de | Rechnungsnummer 0301234567, Kundennr. 0151 23456789
de | Bestellung 030 123456 vom Vortag, Az. 089 123/45
de | Die Fassung 3.10.1 ersetzt 3.9; siehe S. 12-14 und § 5.1.
de | Am 31.04.2024 und am 29.02.2023 war nichts.
de | Konto 0532013000, BLZ 37040044, Seiten 101-110
de | Das Verhältnis 1:4 und 50 % von 200 kg
fr | Facture n° 01 42 68 53 00, dossier 06 12 34 56 78
fr | La version 4.12.2024 remplace la 4.11 ; pages 12 à 14.
fr | SIRET 732 829 320 00074, 75008 Paris
- | 0151 23456789 without a language is anybody's number.
- | 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20
- | 2024 2023 2022 | 1990-2000 | 12/2024
"""


def lines() -> list[Line]:
    """Return every line with what it mentions."""
    found = []
    for text in filter(None, _MENTIONS.split("\n")):
        language, line, mentions = text.split(" | ")
        expected = frozenset(name.replace("~", " ") for name in mentions.split())
        found.append((language.strip("-"), line, expected))
    for text in filter(None, _TRAPS.split("\n")):
        language, line = text.split(" | ", 1)
        found.append((language.strip("-"), line, frozenset()))
    return found
