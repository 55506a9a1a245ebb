"""Texts of papers that are no invoices, by kind and language; `{day}` is the day of the paper. Data only."""

from typing import Final

_EN_PROSE: Final = """
    The water works of the valley
    The works take water from three wells and clean it in two steps before it reaches the town. Sand
    holds back what floats in it, and coal takes its smell. Every hour a sample is taken by hand,
    since the old gauges are slow, and the town has kept every reading in a book since the works
    were built. When the river is high the wells are closed for a day and the town drinks from the
    tower on the hill, which lasts a little longer than that. Nobody in the town has seen the tower
    empty, though the oldest ones say that it was close once.
"""
_DE_PROSE: Final = """
    Das Wasserwerk im Tal
    Das Werk nimmt sein Wasser aus drei Brunnen und reinigt es in zwei Stufen, bevor es die Stadt
    erreicht. Sand hält zurück, was darin schwebt, und Kohle nimmt ihm den Geruch. Jede Stunde wird
    von Hand eine Probe genommen, denn die alten Geräte sind langsam, und die Stadt bewahrt jede
    Ablesung in einem Buch auf. Bei hohem Fluss werden die Brunnen für einen Tag geschlossen, und
    die Stadt trinkt aus dem Turm auf dem Hügel, der etwas länger reicht.
"""
_FR_PROSE: Final = """
    Les eaux de la vallée
    L'usine prend son eau dans trois puits et la nettoie en deux étapes avant qu'elle arrive en
    ville. Le sable retient ce qui flotte et le charbon enlève l'odeur. Chaque heure quelqu'un prend
    un échantillon à la main, car les vieux appareils sont lents, et la ville garde chaque lecture
    dans un livre. Quand la rivière est haute, les puits sont fermés pour un jour et la ville boit
    de la tour sur la colline, qui dure un peu plus longtemps.
"""

OTHER_PAPERS: Final = (
    (
        "letter",
        "en",
        "Blue Harbour Foods\n{day}\nDear Ms Taylor,\nour office moves in autumn.\nKind regards,\nA. Hughes",
    ),
    (
        "letter",
        "de",
        "Blauer Hafen GmbH\n{day}\nSehr geehrte Frau Taler,\nwir ziehen um.\nMit freundlichen Grüßen",
    ),
    (
        "letter",
        "fr",
        "Port Bleu SARL\n{day}\nMadame, Monsieur,\nVeuillez agréer nos salutations distinguées",
    ),
    (
        "letter",
        "nl",
        "Blauwe Haven BV\n{day}\nGeachte mevrouw Taal,\nwij verhuizen.\nMet vriendelijke groet\nA. Huis",
    ),
    (
        "letter",
        "es",
        "Puerto Azul SL\n{day}\nEstimado señor Tal:\nnos mudamos.\nLe saluda atentamente\nA. Hugo",
    ),
    ("letter", "it", "Porto Blu Srl\n{day}\nGentile signora Tali,\nci trasferiamo.\nDistinti saluti\nA. Ugo"),
    (
        "letter",
        "vi",
        "Công ty Sương Mai\n{day}\nKính gửi: Quý khách hàng\nChúng tôi xin mời.\nTrân trọng",
    ),
    (
        "contract",
        "en",
        "Service agreement\n{day}\nThe parties agree.\nGoverning law: England\nIn witness whereof",
    ),
    (
        "contract",
        "de",
        "Mietvertrag\n{day}\nVertragspartner: A und B\nKündigungsfrist: drei Monate\nGerichtsstand: Köln",
    ),
    (
        "contract",
        "fr",
        "Contrat de bail\n{day}\nEntre les soussignés\nIl a été convenu\nRésiliation: trois mois",
    ),
    (
        "contract",
        "nl",
        "Huurovereenkomst\n{day}\nDe ondergetekenden\nZijn overeengekomen\nOpzegging: drie maanden",
    ),
    ("contract", "es", "Contrato de arrendamiento\n{day}\nReunidos\nCláusulas\nRescisión: tres meses"),
    ("contract", "it", "Contratto di locazione\n{day}\nTra le parti\nPremesso che\nRecesso: tre mesi"),
    ("receipt", "en", "Payment receipt\n{day}\nReceived with thanks from Ms Taylor\nCash tendered"),
    ("receipt", "de", "Quittung\n{day}\nBetrag dankend erhalten\nvon Frau Taler"),
    ("receipt", "fr", "Reçu de paiement\n{day}\nReçu la somme de cent euros\nde Madame Talle"),
    ("receipt", "it", "Ricevuta di pagamento\n{day}\nda parte della signora Tali"),
    ("bank_statement", "en", "Bank statement\n{day}\nOpening balance\nClosing balance"),
    ("bank_statement", "de", "Kontoauszug\n{day}\nAlter Kontostand\nNeuer Kontostand"),
    ("bank_statement", "fr", "Relevé de compte\n{day}\nAncien solde\nNouveau solde"),
    ("bank_statement", "nl", "Rekeningafschrift\n{day}\nOud saldo\nNieuw saldo"),
    ("bank_statement", "es", "Extracto bancario\n{day}\nSaldo inicial\nSaldo final"),
    ("other", "en", "Purchase order\n{day}\nOak desk, two pieces\nDeliver to the back door"),
    ("other", "de", "Lieferschein\n{day}\nSchreibtisch Eiche, zwei Stück\nBitte an der Hintertür"),
    ("other", "fr", "Bon de commande\n{day}\nBureau en chêne, deux pièces"),
    ("other", "es", "Presupuesto\n{day}\nMesa de roble, dos piezas"),
    ("other", "en", _EN_PROSE),
    ("other", "de", _DE_PROSE),
    ("other", "fr", _FR_PROSE),
)
