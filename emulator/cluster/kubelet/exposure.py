"""Whether a process can be reached from other machines: nothing of an emulated cluster may be."""

import ipaddress

import psutil


def exposed(pid: int) -> list[str]:
    """Where a process and its children listen outside loopback, such as `0.0.0.0:8080`."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.Error:  # it has ended
        return []
    return sorted({address for each in family for address in _listening(each)})


def _listening(process: psutil.Process) -> list[str]:
    try:
        connections = process.net_connections("tcp")
    except psutil.Error:
        return []
    return [
        f"{each.laddr.ip}:{each.laddr.port}"
        for each in connections
        if each.status == psutil.CONN_LISTEN and not _is_loopback(each.laddr.ip)
    ]


def _is_loopback(text: str) -> bool:
    """Also of `::ffff:127.0.0.1`: gRPC listens on IPv4 addresses by IPv6 sockets."""
    address = ipaddress.ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback
