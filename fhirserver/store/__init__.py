"""MongoDB, and the only door to it: `Store.view` to read, `Store.transact` to write."""

from fhirserver.store.definitions import Added
from fhirserver.store.embedded import Embedded
from fhirserver.store.envelope import Page, Stored, first_version, new_id
from fhirserver.store.errors import StoreError
from fhirserver.store.files import File, Files
from fhirserver.store.jobs import Job, Lease, Lost
from fhirserver.store.policies import ACTORS
from fhirserver.store.registers import Register
from fhirserver.store.store import Store
from fhirserver.store.transaction import Transaction
from fhirserver.store.view import View

__all__ = [
    "ACTORS",
    "Added",
    "Embedded",
    "File",
    "Files",
    "Job",
    "Lease",
    "Lost",
    "Page",
    "Register",
    "Store",
    "StoreError",
    "Stored",
    "Transaction",
    "View",
    "first_version",
    "new_id",
]
