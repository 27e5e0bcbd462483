"""A small shop as a world: its orders, what a desk may do to them, its policy, and the person at the phone."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from suffice.programs.world import World

POLICY = """You work at the desk of a web shop. Its policy:
1. Look an order up before you do anything to it.
2. Act on an order of the customer who writes, and on no other.
3. An order is cancelled, or sent to another address, only while it is "processing".
4. A refund is for an order that was delivered at most 30 days ago, and never more than is left of what was paid.
   Refund all that is left, unless the customer names a smaller sum.
5. Before a refund of more than 200.00, ask whether you may: a question that names the order, with the choices yes, no.
6. What the customer did not say (which order, which address) is asked for with ask_human, and never guessed. Ask for
   nothing else.
What the policy does not allow is not done: say so, kindly, in your answer. Sums are in cents."""


@dataclass
class Order:
    """One order. `delivered` is how many days ago that was."""

    customer: str
    item: str
    paid: int
    state: str
    address: str
    delivered: int | None = None
    refunded: int = 0


MAYA, JOHN, TESS = "maya.lind@fjordmail.example", "j.okafor@postkasten.example", "tess.b@lowlands.example"
RUI, HANNAH, DEV = "rui.pinto@azul.example", "hannah.v@brook.example", "dev.patel@maple.example"
ORDERS = {
    "W-1001": (MAYA, "desk lamp", 4990, "processing", "4 Kelp Lane, Harwick"),
    "W-1002": (MAYA, "kettle", 3450, "delivered", "4 Kelp Lane, Harwick", 6),
    "W-1003": (MAYA, "wool blanket", 7900, "shipped", "4 Kelp Lane, Harwick"),
    "W-1011": (JOHN, "winter coat", 12900, "delivered", "81 Mill Road, Esker", 41),
    "W-1012": (JOHN, "espresso machine", 34900, "delivered", "81 Mill Road, Esker", 3),
    "W-1013": (JOHN, "water filter", 1290, "processing", "81 Mill Road, Esker"),
    "W-1021": (TESS, "two cushions", 4000, "processing", "Flat 2, 9 Dune Street, Westover"),
    "W-1022": (TESS, "curtain", 5600, "cancelled", "Flat 2, 9 Dune Street, Westover"),
    "W-1023": (TESS, "rug", 18900, "delivered", "Flat 2, 9 Dune Street, Westover", 15),
    "W-1031": (RUI, "headphones", 8900, "delivered", "17 Quay Rise, Port Lomas", 12, 2000),
    "W-1032": (RUI, "bike light", 2600, "processing", "17 Quay Rise, Port Lomas"),
    "W-1041": (HANNAH, "office chair", 19900, "shipped", "The Old Forge, Brookham"),
    "W-1042": (HANNAH, "sofa", 64900, "delivered", "The Old Forge, Brookham", 29),
    "W-1043": (HANNAH, "side table", 8800, "delivered", "The Old Forge, Brookham", 31),
    "W-1051": (DEV, "rice cooker", 5950, "processing", "230 Sycamore Avenue, Kestrel"),
    "W-1052": (DEV, "knife set", 11500, "delivered", "230 Sycamore Avenue, Kestrel", 2),
}


@dataclass
class Shop:
    """The orders, who writes, what the person at the phone knows, and what was done, in order."""

    writes: str
    knows: dict[str, str]
    orders: dict[str, Order] = field(default_factory=lambda: {name: Order(*told) for name, told in ORDERS.items()})
    seen: set[str] = field(default_factory=set[str])
    approved: set[str] = field(default_factory=set[str])
    broken: list[str] = field(default_factory=list[str])

    def order(self, name: str) -> Order:
        """An order that something is to be done to. Raises LookupError where there is none."""
        if name not in self.orders:
            raise LookupError(f"there is no order {name}")
        found = self.orders[name]
        self.rule(name in self.seen, f"{name} was not looked up before something was done to it")
        self.rule(found.customer == self.writes, f"{name} is not an order of the customer who writes")
        return found

    def rule(self, kept: bool, broken: str) -> None:
        """Note a rule that was broken."""
        if not kept:
            self.broken.append(broken)


def tools(shop: Shop) -> list[Any]:
    """What the desk may do."""

    def find_order(order: str) -> dict[str, Any]:
        """Look an order up by its number, such as W-1001."""
        if order not in shop.orders:
            raise LookupError(f"there is no order {order}")
        shop.seen.add(order)
        return dict(vars(shop.orders[order]))

    def orders_of(email: str) -> list[str]:
        """The numbers of a customer's orders."""
        return [name for name, order in shop.orders.items() if order.customer == email]

    def cancel(order: str) -> str:
        """Cancel an order."""
        found = shop.order(order)
        shop.rule(found.state == "processing", f"{order} was cancelled when it was {found.state}")
        found.state = "cancelled"
        return "cancelled"

    def refund(order: str, cents: int) -> str:
        """Pay back a sum, in cents."""
        found = shop.order(order)
        recent = found.state == "delivered" and found.delivered is not None and found.delivered <= 30
        shop.rule(recent, f"{order} was refunded, and was not delivered in the last 30 days")
        shop.rule(found.refunded + cents <= found.paid, f"{order} was refunded more than was paid")
        allowed = cents <= 20_000 or order in shop.approved
        shop.rule(allowed, f"{order} was refunded more than 200.00, which nobody allowed")
        found.refunded += cents
        return f"refunded {cents / 100:.2f}"

    def change_address(order: str, address: str) -> str:
        """Send an order to another address."""
        found = shop.order(order)
        shop.rule(found.state == "processing", f"{order} was readdressed when it was {found.state}")
        found.address = address
        return "changed"

    return [find_order, orders_of, cancel, refund, change_address]


def start(inputs: Any) -> Shop:
    """A fresh shop for a case."""
    return Shop(inputs["email"], inputs["knows"])


def final(shop: Shop) -> dict[str, Any]:
    """What is not as it was."""
    changed: dict[str, Any] = {}
    for name, order in shop.orders.items():
        was = Order(*ORDERS[name])
        new = {key: value for key, value in vars(order).items() if value != getattr(was, key)}
        changed |= {name: new} if new else {}
    return changed


def person(shop: Shop, question: str, choices: tuple[str, ...]) -> str | None:
    """The person at the phone, who knows what the customer did not write, and may allow a large refund."""
    if "yes" in choices:
        said = shop.knows.get("allow", "no")
        shop.approved |= set(re.findall(r"W-\d{4}", question)) if said == "yes" else set()
        return said
    for particular in ("address", "order"):
        if particular in question.lower():
            return shop.knows.get(particular)
    return None


def told(inputs: Any) -> Any:
    """The mail alone: what the person knows is not the program's to read."""
    return {"email": inputs["email"], "message": inputs["message"]}


SHOP = World(start, tools, final, lambda shop: shop.broken, person, told)
