/* Pixel bytes as an encoder's input: the same bits as `normalisation.normalise_numpy`.
 *
 * Interleaved bytes become one plane of values for each channel, in one pass and in single
 * precision: (byte / divisor - mean) / std, in this order. There is no multiplication, so no
 * compiler can fuse two operations into one that rounds once. All arguments are checked. The loops
 * run without the interpreter's lock.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
/* Vectors as wide as the processor has; the values are the same at any width. */
#define WIDE __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define WIDE
#endif

#define CHANNELS 3
#define LITTLE (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__)

typedef struct {
    float divisor, mean[CHANNELS], std[CHANNELS];
} Normalisation;

typedef struct {
    const unsigned char *pixels;
    unsigned char *out;
    Py_ssize_t height, width;     /* in pixels */
    Py_ssize_t pitch, plane, row; /* in bytes: a row of pixels; a plane and a row of `out` */
} Image;

/* The nearest bf16; ties go to the even one. */
static inline uint16_t to_bf16(float value)
{
    uint32_t bits;

    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

static inline float normalised(unsigned byte, const Normalisation *by, int channel)
{
    return ((float)(int)byte / by->divisor - by->mean[channel]) / by->std[channel];
}

/* One row of pixels of `step` bytes each. Callers pass `step`, and a divisor of 1, as constants, so
 * the compiler specialises the loop and drops a division by 1. */
#define ROW(name, type, value)                                                                     \
    static inline __attribute__((always_inline)) void name(                                        \
        const unsigned char *pixels, Py_ssize_t width, int step, const Normalisation *by,          \
        type *restrict red, type *restrict green, type *restrict blue)                             \
    {                                                                                              \
        for (Py_ssize_t x = 0; x < width; x++) {                                                   \
            const unsigned char *rgb = pixels + x * step;                                          \
            uint32_t word = (uint32_t)rgb[0] | (uint32_t)rgb[1] << 8 | (uint32_t)rgb[2] << 16;     \
                                                                                                   \
            if (step == 4 && LITTLE)                                                               \
                memcpy(&word, rgb, sizeof word); /* the same bytes in one load */                  \
            red[x] = value(normalised(word & 255, by, 0));                                         \
            green[x] = value(normalised(word >> 8 & 255, by, 1));                                  \
            blue[x] = value(normalised(word >> 16 & 255, by, 2));                                  \
        }                                                                                          \
    }

#define UNCHANGED(value) (value)
ROW(float_row, float, UNCHANGED)
ROW(bf16_row, uint16_t, to_bf16)

#define WRITE_IMAGE(name, type, write_row, step)                                                   \
    WIDE static void name(const Image *image, const Normalisation *given)                          \
    {                                                                                              \
        Normalisation by = *given, undivided = *given;                                             \
                                                                                                   \
        undivided.divisor = 1.0f;                                                                  \
        for (Py_ssize_t y = 0; y < image->height; y++) {                                           \
            const unsigned char *pixels = image->pixels + y * image->pitch;                        \
            unsigned char *out = image->out + y * image->row;                                      \
            type *red = (type *)out, *green = (type *)(out + image->plane);                        \
            type *blue = (type *)(out + 2 * image->plane);                                         \
                                                                                                   \
            if (by.divisor == 1.0f)                                                                \
                write_row(pixels, image->width, step, &undivided, red, green, blue);               \
            else                                                                                   \
                write_row(pixels, image->width, step, &by, red, green, blue);                      \
        }                                                                                          \
    }

WRITE_IMAGE(float_from_rgb, float, float_row, 3)
WRITE_IMAGE(float_from_rgbx, float, float_row, 4)
WRITE_IMAGE(bf16_from_rgb, uint16_t, bf16_row, 3)
WRITE_IMAGE(bf16_from_rgbx, uint16_t, bf16_row, 4)

static int check_shapes(const Py_buffer *pixels, const Py_buffer *out)
{
    if (pixels->ndim != 3 || pixels->itemsize != 1 || pixels->strides[2] != 1 ||
        (pixels->shape[2] != 3 && pixels->shape[2] != 4) ||
        pixels->strides[1] != pixels->shape[2]) {
        PyErr_SetString(PyExc_ValueError, "pixels: expected uint8 [height, width, 3 or 4]");
        return 0;
    }
    if (out->ndim != 3 || (out->itemsize != 4 && out->itemsize != 2) ||
        out->strides[2] != out->itemsize || out->strides[1] % out->itemsize ||
        out->strides[0] % out->itemsize || (uintptr_t)out->buf % (size_t)out->itemsize ||
        out->shape[0] != CHANNELS || out->shape[1] != pixels->shape[0] ||
        out->shape[2] != pixels->shape[1]) {
        PyErr_SetString(PyExc_ValueError,
                        "out: expected float32 or uint16 [3, height, width] of the pixels' size");
        return 0;
    }
    return 1;
}

static PyObject *normalise(PyObject *self, PyObject *args)
{
    Py_buffer pixels = {0}, out = {0};
    PyObject *from, *to, *result = NULL;
    Normalisation by;

    (void)self;
    if (!PyArg_ParseTuple(args, "OOf(fff)(fff)", &from, &to, &by.divisor, &by.mean[0], &by.mean[1],
                          &by.mean[2], &by.std[0], &by.std[1], &by.std[2]))
        return NULL;
    if (PyObject_GetBuffer(from, &pixels, PyBUF_STRIDES) == 0 &&
        PyObject_GetBuffer(to, &out, PyBUF_STRIDES | PyBUF_WRITABLE) == 0 &&
        check_shapes(&pixels, &out)) {
        int rgbx = pixels.strides[1] == 4;
        Image image = {pixels.buf, out.buf, pixels.shape[0], pixels.shape[1],
                       pixels.strides[0], out.strides[0], out.strides[1]};

        Py_BEGIN_ALLOW_THREADS
        if (out.itemsize == 4)
            (rgbx ? float_from_rgbx : float_from_rgb)(&image, &by);
        else
            (rgbx ? bf16_from_rgbx : bf16_from_rgb)(&image, &by);
        Py_END_ALLOW_THREADS
        result = Py_NewRef(Py_None);
    }
    if (out.obj)
        PyBuffer_Release(&out);
    if (pixels.obj)
        PyBuffer_Release(&pixels);
    return result;
}

static PyMethodDef methods[] = {
    {"normalise", normalise, METH_VARARGS, NULL}, {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT, "_normalise", "The compiled kernel of shards.glamm.", 0, methods, slots,
    NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__normalise(void)
{
    return PyModuleDef_Init(&module);
}
