"""All that is administered in the database, in one place."""

from server.clock import Clock
from server.storage.database import Database
from server.tenancy.api_keys import ApiKeys
from server.tenancy.audit import Audit
from server.tenancy.budgets import Budgets
from server.tenancy.prices import Prices
from server.tenancy.quotas import Quotas
from server.tenancy.tenants import Tenants
from server.tenancy.users import Users


class Tenancy:
    """Tenants, their users and keys, what limits them, what models cost, and who changed what of them.

    Args:
        database: where they are.
        clock: tells when.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self.tenants: Tenants = Tenants(database, clock)
        self.users: Users = Users(database, clock)
        self.api_keys: ApiKeys = ApiKeys(database, clock)
        self.quotas: Quotas = Quotas(database, clock)
        self.budgets: Budgets = Budgets(database, clock)
        self.prices: Prices = Prices(database, clock)
        self.audit: Audit = Audit(database, clock)
