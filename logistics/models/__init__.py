"""The tables of logistics. Import from here; the files only keep them apart."""

from logistics.models.alerts import Alert, AlertNote, Channel, Delivery
from logistics.models.catalogue import Reason, StabilityRuleRow, Test, TestSite
from logistics.models.custody import Act, CustodyEvent, Handover
from logistics.models.network import ApiToken, Courier, Site, User, Vehicle
from logistics.models.planning import CourierPosition, Pickup, Plan, Stop
from logistics.models.specimens import Nonconformity, Order, Specimen, SpecimenTest
from logistics.models.system import AuditEntry, Counter, Job, PrintEntry, Setting
from logistics.models.transport import Box, Consignment, ConsignmentLine, ManifestVersion

__all__ = [
    "Act", "Alert", "AlertNote", "ApiToken", "AuditEntry", "Box", "Channel", "Consignment", "ConsignmentLine",
    "Counter", "Courier", "CourierPosition", "CustodyEvent", "Delivery", "Handover", "Job", "ManifestVersion",
    "Nonconformity", "Order", "Pickup", "Plan", "PrintEntry", "Reason", "Setting", "Site", "Specimen",
    "SpecimenTest", "StabilityRuleRow", "Stop", "Test", "TestSite", "User", "Vehicle",
]  # fmt: skip
