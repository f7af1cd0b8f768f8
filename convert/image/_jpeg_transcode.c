/* Writes a JPEG's coefficients again as a baseline JPEG; convert/image/transcode.py says why.
 *
 * libjpeg reads the quantised DCT coefficients and writes them again, so no pixel changes.
 * The input may be hostile. libjpeg returns through longjmp on its first error or warning, all
 * state is in one Job, and one function frees it, so there is one way out.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

enum { MAX_SCANS = 200, COLOURS = 3 };

/* Coefficients take 2 bytes each; a gray photo's are held twice, beside neutral chroma's. */
static const long BYTES_PER_PIXEL = 8, BYTES_BESIDES = 64L << 20;

typedef enum { DAMAGED, DONE, NOT_LOSSLESS, NO_MEMORY } Outcome;

typedef struct {
    const unsigned char *data;
    size_t length;
    unsigned long long max_pixels;

    struct jpeg_decompress_struct source;
    struct jpeg_compress_struct target;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    struct jpeg_destination_mgr sink;
    jmp_buf way_out;

    JOCTET *out; /* Owned; jpeg_mem_dest loses its buffer when an error ends the writing. */
    size_t room, filled;
    Outcome outcome;
    char message[JMSG_LENGTH_MAX];
} Job;

static void leave(Job *job, Outcome outcome, const char *message)
{
    job->outcome = outcome;
    snprintf(job->message, sizeof job->message, "%s", message);
    longjmp(job->way_out, 1);
}

/* libjpeg calls this for fatal errors. */
static void on_error(j_common_ptr info)
{
    char message[JMSG_LENGTH_MAX];
    Outcome outcome = DAMAGED;
    int code = info->err->msg_code;

    /* A table slot filled twice between scans, and samples of 12 bits, are legal. */
    if (code == JERR_MISMATCHED_QUANT_TABLE || code == JERR_BAD_PRECISION)
        outcome = NOT_LOSSLESS;
    else if (code == JERR_OUT_OF_MEMORY)
        outcome = NO_MEMORY;
    info->err->format_message(info, message);
    leave(info->client_data, outcome, message);
}

/* Levels below 0 are warnings: the data is damaged, and libjpeg would continue by guessing. */
static void on_message(j_common_ptr info, int level)
{
    char message[JMSG_LENGTH_MAX];

    if (level >= 0)
        return;
    info->err->format_message(info, message);
    leave(info->client_data, DAMAGED, message);
}

/* libjpeg calls this before each row of blocks it reads. */
static void on_progress(j_common_ptr info)
{
    Job *job = info->client_data;
    const struct jpeg_decompress_struct *source = &job->source;

    if (source->input_scan_number > MAX_SCANS)
        leave(job, DAMAGED, "more than 200 scans");
    if (!source->progressive_mode && source->input_scan_number > source->num_components)
        leave(job, DAMAGED, "more scans than components");
}

static void open_sink(j_compress_ptr target)
{
    Job *job = target->client_data;

    job->room = job->length + 4096; /* baseline is a few percent larger than progressive */
    job->out = malloc(job->room);
    if (job->out == NULL)
        leave(job, NO_MEMORY, "");
    target->dest->next_output_byte = job->out;
    target->dest->free_in_buffer = job->room;
}

static boolean widen_sink(j_compress_ptr target)
{
    Job *job = target->client_data;
    JOCTET *wider = realloc(job->out, job->room * 2);

    if (wider == NULL)
        leave(job, NO_MEMORY, "");
    target->dest->next_output_byte = wider + job->room; /* libjpeg calls when it is full */
    target->dest->free_in_buffer = job->room;
    job->out = wider;
    job->room *= 2;
    return TRUE;
}

static void close_sink(j_compress_ptr target)
{
    Job *job = target->client_data;

    job->filled = job->room - target->dest->free_in_buffer;
}

static int divisor(int a, int b)
{
    return b == 0 ? a : divisor(b, a % b);
}

/* Divide the sampling factors by what they share, (2x2, 2x2, 2x2) is (1x1, 1x1, 1x1): the order
 * of blocks in the file depends on them, the blocks themselves do not. */
static void simplify_sampling(Job *job)
{
    jpeg_component_info *of = job->target.comp_info;
    int across = divisor(divisor(of[0].h_samp_factor, of[1].h_samp_factor), of[2].h_samp_factor);
    int down = divisor(divisor(of[0].v_samp_factor, of[1].v_samp_factor), of[2].v_samp_factor);

    for (int i = 0; i < COLOURS; i++) {
        of[i].h_samp_factor /= across;
        of[i].v_samp_factor /= down;
        if (of[i].h_samp_factor > (i == 0 ? 2 : 1) || of[i].v_samp_factor > (i == 0 ? 2 : 1))
            leave(job, NOT_LOSSLESS, "");
    }
}

/* Refuse what libjpeg does not report: a file that was cut off between two scans. */
static void demand_all_scans(Job *job)
{
    const struct jpeg_decompress_struct *source = &job->source;

    for (int i = 0; i < source->num_components; i++) {
        const jpeg_component_info *component = &source->comp_info[i];

        if (component->quant_table == NULL)
            leave(job, DAMAGED, "a component has no scan");
        for (int k = 0; k < DCTSIZE2; k++) {
            /* coef_bits: how many low bits are still unknown, or -1 for all of them. */
            if (source->progressive_mode && source->coef_bits[i][k] != 0)
                leave(job, DAMAGED, "the last scans are missing");
            if (component->quant_table->quantval[k] > 255)
                leave(job, NOT_LOSSLESS, "");
        }
    }
}

/* Room for (luma, Cb, Cr) of a gray photo as 4:2:0, all zero; chroma of zero decodes to 128.
 * Request it before libjpeg reads coefficients: that is when it allocates memory. */
static void request_neutral(Job *job, jvirt_barray_ptr planes[COLOURS])
{
    j_decompress_ptr source = &job->source;
    JDIMENSION across = (source->image_width + 15) / 16, down = (source->image_height + 15) / 16;

    for (int i = 0; i < COLOURS; i++) {
        JDIMENSION factor = i == 0 ? 2 : 1; /* libjpeg reads luma in whole pairs of rows */

        planes[i] = source->mem->request_virt_barray((j_common_ptr)source, JPOOL_IMAGE, TRUE,
                                                     across * factor, down * factor, factor);
    }
}

static void copy_blocks(Job *job, jvirt_barray_ptr from, jvirt_barray_ptr to)
{
    j_decompress_ptr source = &job->source;
    const jpeg_component_info *gray = source->comp_info;

    for (JDIMENSION y = 0; y < gray->height_in_blocks; y++) {
        JBLOCKARRAY old = source->mem->access_virt_barray((j_common_ptr)source, from, y, 1, FALSE);
        JBLOCKARRAY new = source->mem->access_virt_barray((j_common_ptr)source, to, y, 1, TRUE);

        memcpy(new[0], old[0], gray->width_in_blocks * sizeof(JBLOCK));
    }
}

static void begin_reading(Job *job)
{
    j_decompress_ptr source = &job->source;

    jpeg_create_decompress(source);
    source->progress = &job->progress;
    source->mem->max_memory_to_use =
        BYTES_BESIDES + BYTES_PER_PIXEL * (long)job->max_pixels;
    jpeg_mem_src(source, job->data, job->length);
    jpeg_read_header(source, TRUE);
    if ((unsigned long long)source->image_width * source->image_height > job->max_pixels)
        leave(job, DAMAGED, "more pixels than allowed");
    if (source->jpeg_color_space != JCS_YCbCr && source->jpeg_color_space != JCS_GRAYSCALE)
        leave(job, NOT_LOSSLESS, "");
}

static void transcode(Job *job)
{
    j_decompress_ptr source = &job->source;
    j_compress_ptr target = &job->target;
    jvirt_barray_ptr *planes, neutral[COLOURS];

    begin_reading(job);
    int gray = source->jpeg_color_space == JCS_GRAYSCALE;
    if (gray)
        request_neutral(job, neutral);
    planes = jpeg_read_coefficients(source);
    demand_all_scans(job);

    jpeg_create_compress(target);
    target->dest = &job->sink;
    jpeg_copy_critical_parameters(source, target);
    if (gray) {
        copy_blocks(job, planes[0], neutral[0]);
        planes = neutral;
        jpeg_set_colorspace(target, JCS_YCbCr); /* 4:2:0 */
        for (int i = 0; i < COLOURS; i++)
            target->comp_info[i].quant_tbl_no = source->comp_info[0].quant_tbl_no;
    }
    simplify_sampling(job);
    for (int i = 0; i < COLOURS; i++)
        target->comp_info[i].component_id = i + 1; /* as JFIF requires */
    target->optimize_coding = TRUE;
    target->arith_code = FALSE;
    target->scan_info = NULL;
    target->num_scans = 0;
    target->restart_interval = 0;
    target->restart_in_rows = 0;
    target->write_JFIF_header = TRUE;
    target->write_Adobe_marker = FALSE;
    jpeg_write_coefficients(target, planes);
    jpeg_finish_compress(target);
    job->outcome = DONE;
}

/* Everything between setjmp and the end lives in the Job, so longjmp leaves nothing undefined. */
static void run(Job *job)
{
    job->source.err = job->target.err = jpeg_std_error(&job->errors);
    job->source.client_data = job->target.client_data = job;
    job->errors.error_exit = on_error;
    job->errors.emit_message = on_message;
    job->progress.progress_monitor = on_progress;
    job->sink.init_destination = open_sink;
    job->sink.empty_output_buffer = widen_sink;
    job->sink.term_destination = close_sink;
    if (setjmp(job->way_out) == 0)
        transcode(job);
    jpeg_destroy_compress(&job->target);
    jpeg_destroy_decompress(&job->source);
}

static PyObject *result_of(const Job *job)
{
    switch (job->outcome) {
    case DONE:
        return PyBytes_FromStringAndSize((const char *)job->out, (Py_ssize_t)job->filled);
    case NOT_LOSSLESS:
        return Py_NewRef(Py_None);
    case NO_MEMORY:
        return PyErr_NoMemory();
    default:
        PyErr_SetString(PyExc_ValueError, job->message);
        return NULL;
    }
}

static PyObject *to_baseline(PyObject *module, PyObject *arguments)
{
    PyObject *data, *result;
    long long max_pixels;
    Job *job;

    (void)module;
    if (!PyArg_ParseTuple(arguments, "SL:to_baseline", &data, &max_pixels))
        return NULL;
    if (max_pixels < 0 || max_pixels > (long long)JPEG_MAX_DIMENSION * JPEG_MAX_DIMENSION) {
        PyErr_SetString(PyExc_OverflowError, "max_pixels is negative or more than a JPEG can have");
        return NULL;
    }
    job = calloc(1, sizeof *job);
    if (job == NULL)
        return PyErr_NoMemory();
    job->data = (const unsigned char *)PyBytes_AsString(data);
    job->length = (size_t)PyBytes_Size(data);
    job->max_pixels = (unsigned long long)max_pixels;
    Py_BEGIN_ALLOW_THREADS
    run(job);
    Py_END_ALLOW_THREADS
    result = result_of(job);
    free(job->out);
    free(job);
    return result;
}

static PyMethodDef methods[] = {
    {"to_baseline", to_baseline, METH_VARARGS,
     "to_baseline(data: bytes, max_pixels: int, /) -> bytes | None\n\n"
     "The same coefficients as baseline YCbCr; None where that cannot be done losslessly.\n\n"
     "Raises:\n    ValueError: if the JPEG is damaged, or has more than max_pixels."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "convert.image._jpeg_transcode",
    .m_doc = "Coefficients of a JPEG written anew as baseline.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__jpeg_transcode(void);
PyMODINIT_FUNC PyInit__jpeg_transcode(void)
{
    return PyModuleDef_Init(&definition);
}
