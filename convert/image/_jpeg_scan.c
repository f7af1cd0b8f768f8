/* Where a JPEG's scan ends; convert/image/jpeg.py says what a scan is, and does without this module.
 *
 * The interpreter's lock is kept: the search takes microseconds, and threads that read the next
 * photos would take the lock meanwhile and give it back much later.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string.h>

static PyObject *end_of_scan(PyObject *module, PyObject *arguments)
{
    PyObject *data;
    Py_ssize_t start;

    (void)module;
    if (!PyArg_ParseTuple(arguments, "Sn:end_of_scan", &data, &start))
        return NULL;

    const char *first = PyBytes_AsString(data);
    Py_ssize_t length = PyBytes_Size(data);
    if (start < 0 || start > length) {
        PyErr_SetString(PyExc_IndexError, "start is outside of the data");
        return NULL;
    }
    const char *here = first + start, *end = first + length;
    /* The last byte has none after it, so it begins no marker. */
    while (end - here > 1 && (here = memchr(here, 0xFF, (size_t)(end - here - 1))) != NULL) {
        unsigned char after = (unsigned char)here[1];

        if (after != 0x00 && after != 0xFF && (after < 0xD0 || after > 0xD7))
            return PyLong_FromSsize_t(here - first);
        here++;
    }
    return PyLong_FromLong(-1);
}

static PyMethodDef methods[] = {
    {"end_of_scan", end_of_scan, METH_VARARGS,
     "end_of_scan(data: bytes, start: int, /) -> int\n\n"
     "Where the first marker is that may not stand in a scan; -1 if there is none."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "convert.image._jpeg_scan",
    .m_doc = "Where a JPEG's scan ends.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__jpeg_scan(void);
PyMODINIT_FUNC PyInit__jpeg_scan(void)
{
    return PyModuleDef_Init(&definition);
}
