"""Functions that users wrote, for a device."""


def for_device(function):
    raise NotImplementedError
