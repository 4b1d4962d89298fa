"""An edge node of pysparkplug's, in a Python of its own: it needs paho 1. Each line on standard input is a step.

python sparkplug_edge.py PORT
"""

import sys

import pysparkplug as psp


def metric(name, value, kind=psp.DataType.DOUBLE):
    return psp.Metric(timestamp=psp.get_current_timestamp(), name=name, datatype=kind, value=value)


def main(port):
    node = psp.EdgeNode("Plant", "Pump1", [metric("Flow", 1.0)])
    device = psp.Device("Drive", [metric("Motor", 10, psp.DataType.INT32), metric("Run", True, psp.DataType.BOOLEAN)])
    node.register(device)
    node.connect("127.0.0.1", port=port)
    print("ready", flush=True)
    for line in sys.stdin:
        name, _, value = line.strip().partition("=")
        if name == "Flow":
            node.update([metric("Flow", float(value))])
        elif name == "Motor":
            node.update_device("Drive", [metric("Motor", int(value), psp.DataType.INT32)])
        elif name == "Run":
            node.update_device("Drive", [metric("Run", value == "on", psp.DataType.BOOLEAN)])
        elif name == "leave":
            node.deregister("Drive")
        elif name == "join":
            node.register(device)
        print("done", flush=True)
    node.disconnect()


if __name__ == "__main__":
    main(int(sys.argv[1]))
