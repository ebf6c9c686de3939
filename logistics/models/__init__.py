"""The tables of logistics. Import from here; the files only keep them apart."""

from logistics.db import Base
from logistics.models import append_only
from logistics.models.alerts import Alert, AlertLadder, AlertNote, AlertRoute, Channel, Delivery, DeliveryAttempt
from logistics.models.attachments import Attachment
from logistics.models.catalogue import Reason, StabilityRuleRow, StabilityVersion, Test, TestSite
from logistics.models.custody import Act, CustodyEvent, CustodyLane, Handover, WaitingAct
from logistics.models.decisions import AssessedTube, Assessment, SpecimenClock
from logistics.models.filters import DefaultFilter, SavedFilter
from logistics.models.handovers import HandoverHalf, HandoverOffer
from logistics.models.integrity import CustodyDigest, CustodyDigestLeaf, SigningKey
from logistics.models.items import BlindKey, Contract, ContractTest, Item, ItemLine
from logistics.models.labels import LabelBatch, LabelNumber, LabelStock, PrintSetting
from logistics.models.network import ApiToken, Courier, Site, User, Vehicle
from logistics.models.planning import CourierPosition, Pickup, Plan, PlanVersion, Stop
from logistics.models.specimens import Nonconformity, Order, Specimen, SpecimenTest
from logistics.models.system import AuditEntry, Counter, Job, PreparedFile, PrintEntry, Setting
from logistics.models.transport import Box, Consignment, ConsignmentLine, ManifestVersion, SealUse

__all__ = [
    "Act",
    "Alert",
    "AlertLadder",
    "AlertNote",
    "AlertRoute",
    "ApiToken",
    "AssessedTube",
    "Assessment",
    "Attachment",
    "AuditEntry",
    "BlindKey",
    "Box",
    "Channel",
    "Consignment",
    "ConsignmentLine",
    "Contract",
    "ContractTest",
    "Counter",
    "Courier",
    "CourierPosition",
    "CustodyDigest",
    "CustodyDigestLeaf",
    "CustodyEvent",
    "CustodyLane",
    "DefaultFilter",
    "Delivery",
    "DeliveryAttempt",
    "Handover",
    "HandoverHalf",
    "HandoverOffer",
    "Item",
    "ItemLine",
    "Job",
    "LabelBatch",
    "LabelNumber",
    "LabelStock",
    "ManifestVersion",
    "Nonconformity",
    "Order",
    "Pickup",
    "Plan",
    "PlanVersion",
    "PreparedFile",
    "PrintEntry",
    "PrintSetting",
    "Reason",
    "SavedFilter",
    "SealUse",
    "Setting",
    "SigningKey",
    "Site",
    "Specimen",
    "SpecimenClock",
    "SpecimenTest",
    "StabilityRuleRow",
    "StabilityVersion",
    "Stop",
    "Test",
    "TestSite",
    "User",
    "Vehicle",
    "WaitingAct",
]

append_only.listen(Base.metadata)  # create_all makes the triggers with the tables
