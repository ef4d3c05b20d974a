"""Drawing on the native planes of a decoded picture."""


class Canvas: ...
