"""How much a proof may cost, counted before it is spent."""

from dataclasses import dataclass
from typing import final

from symscore.errors import ResourceLimit

# So many products of terms take about two seconds on an ordinary machine.
MOST_PRODUCTS = 3_000_000


@final
@dataclass(slots=True)
class Work:
    """How many products of terms may still be formed: spent before each multiplication."""

    left: int = MOST_PRODUCTS

    def spend(self, products: int) -> None:
        """Take `products` off; raise ResourceLimit where too few are left."""
        self.left -= products
        if self.left < 0:
            raise ResourceLimit(
                f"Expected a proof within {MOST_PRODUCTS:,} products of terms; it needs more: "
                "prove it for fewer components or put numbers in place of some symbols."
            )
