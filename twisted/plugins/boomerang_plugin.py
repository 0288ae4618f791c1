"""Makes ``twistd boomerang`` known; it must import nothing that could install a reactor."""

from twisted.application.service import ServiceMaker

boomerang = ServiceMaker(
    "boomerang",
    "boomerang.service",
    "Failover host for Twilio applications.",
    "boomerang",
)
