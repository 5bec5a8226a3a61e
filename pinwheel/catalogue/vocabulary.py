"""What the pins of the catalogue are about: a theme has its words and its colours."""

from dataclasses import dataclass
from typing import Final

Colour = tuple[int, int, int]
"""Red, green, blue; 0 to 255."""


@dataclass(frozen=True)
class Theme:
    """One interest, as a person would name a board of it."""

    name: str
    things: tuple[str, ...]
    details: tuple[str, ...]
    boards: tuple[str, ...]
    colours: tuple[Colour, Colour, Colour]


ADJECTIVES: Final = (
    "rustic", "modern", "cosy", "minimal", "vintage", "handmade", "colourful", "quiet", "bold", "simple",
    "elegant", "playful", "sunny", "dark", "pastel", "natural", "small", "lazy sunday", "budget", "weekend",
    "scandinavian", "japanese", "coastal", "boho", "industrial", "classic",
)  # fmt: skip

COUNTRIES: Final = ("US", "GB", "DE", "FR", "BR", "JP", "MX", "CA", "IN", "AU")

THEMES: Final = (
    Theme(
        "kitchens",
        (
            "oak shelf",
            "kitchen island",
            "spice rack",
            "tile wall",
            "copper pan",
            "farmhouse sink",
            "bar stool",
        ),
        ("with brass hooks", "for a narrow flat", "in sage green", "under the stairs", "with open storage"),
        ("Dream kitchen", "Kitchen storage ideas", "Tiles I like"),
        ((196, 164, 120), (120, 140, 110), (240, 234, 220)),
    ),
    Theme(
        "gardens",
        ("raised bed", "herb spiral", "garden path", "climbing rose", "pond", "greenhouse", "bird bath"),
        ("for shade", "from old pallets", "that bees love", "in a weekend", "with river stones"),
        ("Back garden", "Balcony garden", "Plants for shade"),
        ((60, 120, 60), (150, 190, 90), (200, 90, 110)),
    ),
    Theme(
        "bread",
        ("sourdough loaf", "focaccia", "cinnamon roll", "rye bread", "brioche", "bagel", "flatbread"),
        ("without kneading", "with rosemary", "overnight", "for beginners", "in a cast iron pot"),
        ("Bread to bake", "Sunday baking", "Sourdough diary"),
        ((180, 120, 60), (230, 200, 150), (120, 70, 40)),
    ),
    Theme(
        "weddings",
        ("bouquet", "wedding table", "invitation", "lace dress", "flower arch", "cake", "ring box"),
        ("with dried flowers", "by candle light", "in a barn", "in dusty blue", "for thirty guests"),
        ("Our wedding", "Flowers", "Invitations"),
        ((235, 215, 215), (200, 160, 170), (150, 170, 160)),
    ),
    Theme(
        "mountains",
        (
            "ridge walk",
            "alpine lake",
            "mountain hut",
            "tent",
            "waterfall trail",
            "glacier view",
            "forest road",
        ),
        ("at sunrise", "in the Dolomites", "in October", "with children", "after the snow"),
        ("Hikes to do", "Mountains", "Huts and lakes"),
        ((90, 120, 160), (220, 230, 240), (60, 80, 90)),
    ),
    Theme(
        "oceans",
        ("surf beach", "lighthouse", "sea cave", "harbour", "coral reef", "cliff walk", "sailing boat"),
        ("in winter light", "on the Azores", "off season", "at low tide", "from above"),
        ("By the sea", "Coast trip", "Surf"),
        ((20, 90, 140), (90, 190, 200), (240, 225, 180)),
    ),
    Theme(
        "knitting",
        ("wool cardigan", "cable scarf", "baby blanket", "mittens", "lace shawl", "beanie", "socks"),
        ("free pattern", "in one evening", "with leftover yarn", "top down", "for beginners"),
        ("Knit next", "Patterns", "Yarn stash"),
        ((170, 70, 80), (220, 180, 160), (90, 80, 120)),
    ),
    Theme(
        "tattoos",
        ("fern tattoo", "wave tattoo", "moth tattoo", "line portrait", "tiny star", "swallow", "compass"),
        ("on the wrist", "in fine line", "with colour", "behind the ear", "for two"),
        ("Ink", "First tattoo", "Fine line"),
        ((30, 30, 35), (230, 225, 220), (120, 60, 60)),
    ),
    Theme(
        "home offices",
        (
            "standing desk",
            "cable tray",
            "desk lamp",
            "book wall",
            "pin board",
            "reading chair",
            "monitor shelf",
        ),
        ("in a bedroom", "with plants", "for two people", "behind a curtain", "on a budget"),
        ("Work corner", "Desk setups", "Study"),
        ((110, 100, 95), (225, 220, 210), (60, 110, 130)),
    ),
    Theme(
        "cakes",
        ("lemon cake", "chocolate torte", "birthday cake", "carrot cake", "cheesecake", "macaron", "pavlova"),
        ("without eggs", "with berries", "for a crowd", "in layers", "with a mirror glaze"),
        ("Cakes", "Birthday ideas", "Sweet things"),
        ((250, 220, 230), (150, 70, 60), (255, 240, 180)),
    ),
    Theme(
        "sneakers",
        ("running shoe", "canvas sneaker", "high top", "trail shoe", "white sneaker", "laces", "skate shoe"),
        ("with a wide leg", "in all white", "for rain", "street style", "restored"),
        ("Shoes", "Street style", "Wishlist"),
        ((240, 60, 50), (245, 245, 245), (30, 60, 150)),
    ),
    Theme(
        "houseplants",
        ("monstera", "string of pearls", "fig tree", "fern shelf", "propagation wall", "cactus", "terrarium"),
        ("for low light", "that cats ignore", "in self watering pots", "from cuttings", "in the bathroom"),
        ("Plants", "Green corner", "Plant care"),
        ((40, 100, 70), (170, 210, 170), (190, 130, 90)),
    ),
)
